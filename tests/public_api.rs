//! The crate's public API, recorded in `public_api.txt`, so that every change shows up in review.
//!
//! `UPDATE_PUBLIC_API=1 cargo test --test public_api` accepts a change.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use quote::ToTokens;
use syn::{Attribute, Fields, ImplItem, Item, ItemImpl, TraitItem, Type, UseTree, Visibility};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn public_api_matches_the_recorded_one() {
    let exported = exported();
    let mut lines = BTreeSet::new();
    for file in files(&root().join("src")) {
        let items = syn::parse_file(&fs::read_to_string(&file).unwrap()).unwrap().items;
        lines.extend(items.iter().flat_map(|item| describe(item, &exported)));
    }
    let missing: Vec<_> =
        exported.iter().filter(|name| !lines.iter().any(|line| line.split(' ').nth(1) == Some(name))).collect();
    assert!(missing.is_empty(), "exported and not found: {missing:?}");
    let found = lines.into_iter().map(|line| line + "\n").collect::<String>();
    let path = root().join("tests/public_api.txt");
    if env::var_os("UPDATE_PUBLIC_API").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let recorded = fs::read_to_string(&path).unwrap();
    let (recorded, found): (BTreeSet<_>, BTreeSet<_>) = (recorded.lines().collect(), found.lines().collect());
    let removed: Vec<_> = recorded.difference(&found).collect();
    let added: Vec<_> = found.difference(&recorded).collect();
    assert!(
        removed.is_empty() && added.is_empty(),
        "removed: {removed:#?}\nadded: {added:#?}\nmeant? UPDATE_PUBLIC_API=1"
    );
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The names that `lib.rs` re-exports.
fn exported() -> BTreeSet<String> {
    let lib = syn::parse_file(&fs::read_to_string(root().join("src/lib.rs")).unwrap()).unwrap();
    let mut names = BTreeSet::new();
    for item in lib.items {
        if let Item::Use(item) = item
            && is_public(&item.vis)
        {
            collect(&item.tree, &mut names);
        }
    }
    names
}

fn collect(tree: &UseTree, names: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => collect(&path.tree, names),
        UseTree::Group(group) => group.items.iter().for_each(|tree| collect(tree, names)),
        UseTree::Name(name) => drop(names.insert(name.ident.to_string())),
        UseTree::Rename(_) | UseTree::Glob(_) => panic!("re-exports must be listed individually"),
    }
}

fn describe(item: &Item, exported: &BTreeSet<String>) -> Vec<String> {
    match item {
        Item::Struct(item) if exported.contains(&item.ident.to_string()) => {
            let name = format!("struct {}", item.ident);
            let fields = item.fields.iter().filter(|field| is_public(&field.vis));
            let fields =
                fields.map(|field| format!("{name} . {}: {}", field.ident.as_ref().expect("a name"), text(&field.ty)));
            let derived = derives(&item.attrs).into_iter().map(|name_of| format!("{name} : {name_of}"));
            [name.clone()].into_iter().chain(fields).chain(derived).collect()
        }
        Item::Enum(item) if exported.contains(&item.ident.to_string()) => {
            let name = format!("enum {}", item.ident);
            let open = item.attrs.iter().any(|attribute| attribute.path().is_ident("non_exhaustive"));
            let variants =
                item.variants.iter().map(|variant| format!("{name} :: {}{}", variant.ident, fields(&variant.fields)));
            let derived = derives(&item.attrs).into_iter().map(|name_of| format!("{name} : {name_of}"));
            let open = open.then(|| format!("{name} non_exhaustive"));
            [name.clone()].into_iter().chain(variants).chain(derived).chain(open).collect()
        }
        Item::Trait(item) if exported.contains(&item.ident.to_string()) => {
            let name = format!("trait {}", item.ident);
            let methods = item.items.iter().filter_map(|part| match part {
                TraitItem::Fn(method) => Some(format!("{name} . {}", text(&method.sig))),
                _ => None,
            });
            [name.clone()].into_iter().chain(methods).collect()
        }
        Item::Fn(item) if exported.contains(&item.sig.ident.to_string()) => {
            vec![format!("fn {} {}", item.sig.ident, text(&item.sig))]
        }
        Item::Impl(item) => describe_impl(item, exported),
        _ => Vec::new(),
    }
}

fn describe_impl(item: &ItemImpl, exported: &BTreeSet<String>) -> Vec<String> {
    let Type::Path(path) = &*item.self_ty else { return Vec::new() };
    let Some(name) = path.path.get_ident().map(ToString::to_string).filter(|name| exported.contains(name)) else {
        return Vec::new();
    };
    if let Some((_, of, _)) = &item.trait_ {
        return vec![format!("impl {name} : {}", text(of))];
    }
    let methods = item.items.iter().filter_map(|part| match part {
        ImplItem::Fn(method) if is_public(&method.vis) => Some(format!("impl {name} . {}", text(&method.sig))),
        _ => None,
    });
    methods.collect()
}

fn fields(fields: &Fields) -> String {
    let fields: Vec<_> = fields
        .iter()
        .map(|field| match &field.ident {
            Some(name) => format!("{name}: {}", text(&field.ty)),
            None => text(&field.ty),
        })
        .collect();
    if fields.is_empty() { String::new() } else { format!(" {{ {} }}", fields.join(", ")) }
}

fn derives(attributes: &[Attribute]) -> Vec<String> {
    let derives = attributes.iter().filter(|attribute| attribute.path().is_ident("derive"));
    let lists = derives.map(|attribute| attribute.meta.require_list().unwrap().tokens.to_string());
    lists.flat_map(|list| list.split(',').map(|name| name.trim().replace(' ', "")).collect::<Vec<_>>()).collect()
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Tokens with conventional spacing.
fn text(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (from, to) in [
        (" < ", "<"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" :: ", "::"),
        (" : ", ": "),
        (" , ", ", "),
        (", )", ")"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        ("& ", "&"),
        (" ,", ","),
        ("->", " ->"),
        ("  ->", " ->"),
    ] {
        text = text.replace(from, to);
    }
    text
}
