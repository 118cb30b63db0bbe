// The Combine symbols that the sample uses.

/// Combine.ObservableObject
public protocol ObservableObject: AnyObject {}

/// Combine.Published
@propertyWrapper public struct Published<Value> {
  public var wrappedValue: Value

  public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
}
