// State of views.

/// SwiftUI.Binding
@propertyWrapper @dynamicMemberLookup public struct Binding<Value> {
  public var wrappedValue: Value {
    get { read() }
    nonmutating set { write(newValue) }
  }
  public var projectedValue: Binding<Value> { self }
  let read: () -> Value
  let write: (Value) -> Void

  public subscript<Subject>(dynamicMember path: WritableKeyPath<Value, Subject>) -> Binding<Subject> {
    Binding<Subject>(read: { wrappedValue[keyPath: path] }, write: { wrappedValue[keyPath: path] = $0 })
  }
}

final class Box<Value> {
  var value: Value

  init(_ value: Value) { self.value = value }
}

/// SwiftUI.State
@propertyWrapper public struct State<Value> {
  private let box: Box<Value>
  public var wrappedValue: Value {
    get { box.value }
    nonmutating set { box.value = newValue }
  }
  public var projectedValue: Binding<Value> { Binding(read: { box.value }, write: { box.value = $0 }) }

  public init(wrappedValue: Value) { box = Box(wrappedValue) }
}

/// SwiftUI.FocusState
@propertyWrapper public struct FocusState<Value: Hashable> {
  /// SwiftUI.FocusState.Binding
  public struct Binding {}

  private let box: Box<Value>
  public var wrappedValue: Value {
    get { box.value }
    nonmutating set { box.value = newValue }
  }
  public var projectedValue: Binding { Binding() }

  public init() where Value == Bool { box = Box(false) }
}

/// SwiftUI.StateObject
@MainActor @preconcurrency @propertyWrapper public struct StateObject<ObjectType: ObservableObject> {
  private let make: () -> ObjectType
  public var wrappedValue: ObjectType { make() }
  public var projectedValue: ObservedObject<ObjectType>.Wrapper { ObservedObject(wrappedValue: make()).projectedValue }

  public init(wrappedValue make: @autoclosure @escaping () -> ObjectType) { self.make = make }
}

/// SwiftUI.ObservedObject
@MainActor @preconcurrency @propertyWrapper public struct ObservedObject<ObjectType: ObservableObject> {
  /// SwiftUI.ObservedObject.Wrapper
  @MainActor @preconcurrency @dynamicMemberLookup public struct Wrapper {
    let object: ObjectType

    public subscript<Subject>(dynamicMember path: ReferenceWritableKeyPath<ObjectType, Subject>) -> Binding<Subject> {
      Binding(read: { [object] in object[keyPath: path] }, write: { [object] in object[keyPath: path] = $0 })
    }
  }

  public var wrappedValue: ObjectType
  public var projectedValue: Wrapper { Wrapper(object: wrappedValue) }

  public init(wrappedValue: ObjectType) { self.wrappedValue = wrappedValue }
}

/// SwiftUI.Environment
@propertyWrapper public struct Environment<Value> {
  public let wrappedValue: Value

  public init(_ keyPath: KeyPath<EnvironmentValues, Value>) { wrappedValue = EnvironmentValues()[keyPath: keyPath] }
}

/// SwiftUI.EnvironmentValues
public struct EnvironmentValues {
  public var scenePhase = ScenePhase.active
  public var horizontalSizeClass: UserInterfaceSizeClass?
  public var verticalSizeClass: UserInterfaceSizeClass?
  public var dynamicTypeSize = DynamicTypeSize.large
}

/// SwiftUI.ScenePhase
public enum ScenePhase: Sendable { case background, inactive, active }

/// SwiftUI.UserInterfaceSizeClass
public enum UserInterfaceSizeClass: Sendable { case compact, regular }

/// SwiftUI.DynamicTypeSize
public enum DynamicTypeSize: Sendable {
  case large, accessibility1

  public var isAccessibilitySize: Bool { self == .accessibility1 }
}
