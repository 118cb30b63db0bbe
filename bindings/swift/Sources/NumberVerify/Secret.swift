/// A string that is excluded from `print`, `dump` and the debugger summary of the value that
/// contains it.
struct Secret: Sendable, Equatable {
  let text: String

  init(_ text: String) {
    self.text = text
  }
}

extension Secret: CustomStringConvertible, CustomReflectable {
  var description: String { "…" }

  /// Hides `text` from `dump`.
  var customMirror: Mirror { Mirror(self, children: []) }
}
