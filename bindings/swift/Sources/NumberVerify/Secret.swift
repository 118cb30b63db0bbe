/// A text that no printed form shows: not `print`, not `dump`, not a debugger's summary of the value that holds it.
struct Secret: Sendable, Equatable {
  let text: String

  init(_ text: String) {
    self.text = text
  }
}

extension Secret: CustomStringConvertible, CustomReflectable {
  var description: String { "…" }

  /// `dump` would look inside.
  var customMirror: Mirror { Mirror(self, children: []) }
}
