//! The dependency rules of `src/` (described in ARCHITECTURE.md): which module may depend on which,
//! no cycles between files, and which files are exported to Kotlin and Swift. Unit tests inside the
//! files are exempt.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, iter};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, UseTree, Visibility};

/// What a module must not depend on.
const FORBIDDEN: [(&str, &[&str]); 7] = [
    ("authorization", &["transport", "cellular", "network", "backend", "config", "settings", "error", "flow"]),
    ("transport", &["settings", "config", "error", "backend", "authorization", "cellular", "flow"]),
    ("network", &["settings", "config", "error", "cellular", "backend", "authorization", "transport", "flow"]),
    ("backend", &["authorization", "cellular", "flow"]),
    ("cellular", &["settings", "backend", "authorization", "flow"]),
    ("settings", &["authorization", "transport", "cellular", "backend", "flow"]),
    ("config", &["authorization", "transport", "cellular", "backend", "flow"]),
];
/// Exceptions: the walk must know which addresses are forbidden.
const ALLOWED: [(&str, &str); 1] = [("authorization", "network::address")];
/// The files whose types and functions are exported to Kotlin and Swift.
const EXPORTED: [&str; 14] = [
    "verifier",
    "flow_handle",
    "results",
    "config",
    "hints",
    "options",
    "error",
    "progress",
    "trace",
    "explain",
    "backend",
    "cellular::provider",
    "server_trust",
    "logging",
];
/// These must not depend on exported types.
const NOT_EXPORTING: [&str; 3] = ["authorization", "transport", "network"];

/// A module path, such as `cellular::bound`.
type Module = String;

#[derive(Debug, Clone)]
struct Source {
    module: Module,
    text: String,
}

#[derive(Debug, Default)]
struct Facts {
    /// Modules, by the file that defines them; re-exports through a facade are not included.
    uses: BTreeSet<Module>,
    has_uniffi: bool,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                sources.push(Source { module: module(path.strip_prefix(&root).unwrap()), text });
            }
        }
    }
    sources
}

fn module(file: &Path) -> Module {
    let file: PathBuf = file.with_extension("");
    let names: Vec<_> = file.iter().map(|name| name.to_str().unwrap()).filter(|name| *name != "mod").collect();
    if names == ["lib"] { String::new() } else { names.join("::") }
}

/// The violations in these sources; normally empty.
fn violations(sources: &[Source]) -> Vec<String> {
    let modules: BTreeSet<Module> = sources.iter().map(|source| source.module.clone()).collect();
    let facts: BTreeMap<Module, Facts> =
        sources.iter().map(|source| (source.module.clone(), facts(source, &modules))).collect();
    let mut found = Vec::new();
    for (module, facts) in &facts {
        for used in &facts.uses {
            let is_forbidden = FORBIDDEN
                .iter()
                .any(|(part, others)| is_in(module, part) && others.iter().any(|other| is_in(used, other)));
            let is_exported = NOT_EXPORTING.iter().any(|part| is_in(module, part)) && is_exported(used);
            let is_allowed = ALLOWED.iter().any(|(part, other)| is_in(module, part) && is_in(used, other));
            if (is_forbidden || is_exported) && !is_allowed {
                found.push(format!("{module} must not depend on {used}"));
            }
        }
        if facts.has_uniffi && !is_exported(module) {
            found.push(format!("{module} must not export anything with uniffi"));
        }
    }
    found.extend(cycle(&facts).map(|cycle| format!("a cycle: {}", cycle.join(" → "))));
    found
}

fn is_in(module: &str, part: &str) -> bool {
    module.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The module of a folder itself, except for the errors folder, which is exported as a whole.
fn is_exported(module: &str) -> bool {
    EXPORTED.contains(&module) || is_in(module, "error")
}

fn facts(source: &Source, modules: &BTreeSet<Module>) -> Facts {
    let file = syn::parse_file(&source.text).unwrap_or_else(|error| panic!("{}: {error}", source.module));
    let mut reader = Reader { module: &source.module, modules, facts: Facts::default() };
    reader.visit_file(&file);
    reader.facts.uses.remove(&source.module);
    reader.facts
}

struct Reader<'a> {
    module: &'a str,
    modules: &'a BTreeSet<Module>,
    facts: Facts,
}

impl Reader<'_> {
    /// Records the module that a path refers to, if it belongs to this crate.
    fn note(&mut self, path: &[String]) {
        let Some(full) = self.resolve(path) else { return };
        let lengths = (1..=full.len()).rev();
        let used = lengths.map(|length| full[..length].join("::")).find(|module| self.modules.contains(module));
        self.facts.uses.extend(used);
    }

    /// The path from the crate's root.
    fn resolve(&self, path: &[String]) -> Option<Vec<String>> {
        let own: Vec<String> = self.module.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([own, rest.to_vec()].concat()),
            "super" => {
                let supers = path.iter().take_while(|name| *name == "super").count();
                Some([&own[..own.len().checked_sub(supers)?], &path[supers..]].concat())
            }
            child => self.modules.contains(&with(&own, child).join("::")).then(|| [own, path.to_vec()].concat()),
        }
    }

    fn note_tree(&mut self, tree: &UseTree, before: &[String]) {
        match tree {
            UseTree::Path(path) => self.note_tree(&path.tree, &with(before, &path.ident.to_string())),
            UseTree::Name(name) => self.note(&with(before, &name.ident.to_string())),
            UseTree::Rename(name) => self.note(&with(before, &name.ident.to_string())),
            UseTree::Glob(_) => self.note(before),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_tree(tree, before)),
        }
    }
}

fn with(path: &[String], name: &str) -> Vec<String> {
    path.iter().cloned().chain(iter::once(name.to_owned())).collect()
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !attributes.iter().any(is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_facade = matches!(&item.tree, UseTree::Path(path) if path.ident == "self");
        if !(is_facade && matches!(item.vis, Visibility::Public(_))) {
            self.note_tree(&item.tree, &[]);
        }
    }

    /// `pub(super)` is not a use.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.note(&path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>());
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let derives = attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string().contains("uniffi"));
        let first = attribute.path().segments.first().map(|segment| segment.ident.to_string());
        self.facts.has_uniffi |= derives || first.as_deref() == Some("uniffi");
    }
}

/// `#[cfg(test)]`, and items that exist only for the tests of other crates.
fn is_for_tests(attribute: &Attribute) -> bool {
    let condition = attribute.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default();
    attribute.path().is_ident("cfg")
        && (condition == "test" || condition.contains("internals") || condition == "doctest")
}

/// The first cycle found.
fn cycle(facts: &BTreeMap<Module, Facts>) -> Option<Vec<Module>> {
    let mut done = BTreeSet::new();
    facts.keys().find_map(|module| cycle_from(module, facts, &mut Vec::new(), &mut done))
}

fn cycle_from(
    module: &Module,
    facts: &BTreeMap<Module, Facts>,
    path_so_far: &mut Vec<Module>,
    done: &mut BTreeSet<Module>,
) -> Option<Vec<Module>> {
    if let Some(at) = path_so_far.iter().position(|before| before == module) {
        return Some(path_so_far[at..].iter().chain([module]).cloned().collect());
    }
    if !done.insert(module.clone()) {
        return None;
    }
    path_so_far.push(module.clone());
    let found = facts[module].uses.iter().find_map(|used| cycle_from(used, facts, path_so_far, done));
    path_so_far.pop();
    found
}

#[test]
fn source_follows_dependency_rules() {
    let found = violations(&sources());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The sources with an additional line in one of them.
fn with_line(module: &str, line: &str) -> Vec<Source> {
    let mut sources = sources();
    let source = sources.iter_mut().find(|source| source.module == module).expect(module);
    source.text.push_str(line);
    sources
}

#[test]
fn forbidden_use_is_reported() {
    for (module, line) in [
        ("authorization::walk", "use crate::network::default::DefaultNetwork;"),
        ("authorization", "fn f() { crate::logging::log_to_system(todo!()) }"),
        ("transport::client", "use crate::{config::Config, json::JsonObject};"),
        ("transport::dial", "use super::super::error as e;"),
        ("network::lookups", "use crate::error::*;"),
        ("backend::http", "use crate::cellular::SharedNetwork;"),
        ("cellular::lease", "use crate::settings::Settings;"),
        ("settings", "use crate::backend::call::Call;"),
        ("config", "type T = crate::transport::Limits;"),
        ("secret", "#[derive(Debug, uniffi::Record)] struct R;"),
        ("cellular::bound", "#[uniffi::export] fn f() {}"),
    ] {
        let found = violations(&with_line(module, line));
        assert!(
            found.iter().any(|violation| violation.starts_with(&format!("{module} must not"))),
            "{module}: {line}: {found:?}"
        );
    }
}

#[test]
fn cycle_is_reported() {
    for (module, line) in [
        ("json", "use crate::cookies::CookieJar; use crate::backend::result;"),
        ("transport::destination", "use super::client::Transport;"),
    ] {
        let found = violations(&with_line(module, line));
        assert!(found.iter().any(|violation| violation.starts_with("a cycle")), "{module}: {found:?}");
    }
}
