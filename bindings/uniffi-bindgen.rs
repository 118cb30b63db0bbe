//! Generates the Kotlin and Swift bindings.
fn main() {
    uniffi::uniffi_bindgen_main();
}
