// The SwiftUI modifiers that the sample uses.

extension View {
  // Layout
  public func padding(_ edges: Edge.Set = .all, _ length: CGFloat? = nil) -> some View { self }
  public func frame(width: CGFloat? = nil, height: CGFloat? = nil, alignment: Alignment = .center) -> some View { self }
  public func frame(
    minWidth: CGFloat? = nil, idealWidth: CGFloat? = nil, maxWidth: CGFloat? = nil, minHeight: CGFloat? = nil, idealHeight: CGFloat? = nil,
    maxHeight: CGFloat? = nil, alignment: Alignment = .center
  ) -> some View { self }
  public func background(_ background: some View) -> some View { self }
  public func background(_ style: some ShapeStyle, in shape: some Shape) -> some View { self }
  public func ignoresSafeArea() -> some View { self }
  public func id(_ id: some Hashable) -> some View { self }

  // Appearance
  public func font(_ font: Font?) -> some View { self }
  public func foregroundStyle(_ style: some ShapeStyle) -> some View { self }
  public func tint(_ tint: Color?) -> some View { self }
  public func buttonStyle(_ style: some PrimitiveButtonStyle) -> some View { self }
  public func controlSize(_ size: ControlSize) -> some View { self }

  // Input
  public func disabled(_ disabled: Bool) -> some View { self }
  public func keyboardType(_ type: UIKeyboardType) -> some View { self }
  public func textContentType(_ type: UITextContentType?) -> some View { self }
  public func textFieldStyle(_ style: some TextFieldStyle) -> some View { self }
  public func textInputAutocapitalization(_ autocapitalization: TextInputAutocapitalization?) -> some View { self }
  public func disableAutocorrection(_ disable: Bool?) -> some View { self }
  public func submitLabel(_ label: SubmitLabel) -> some View { self }
  public func focused(_ condition: FocusState<Bool>.Binding) -> some View { self }
  public func onSubmit(_ action: @escaping () -> Void) -> some View { self }
  public func textSelection(_ selectability: some TextSelectability) -> some View { self }

  // Accessibility
  public func accessibilityAddTraits(_ traits: AccessibilityTraits) -> some View { self }
  public func accessibilityHidden(_ hidden: Bool) -> some View { self }
  public func accessibilityLabel<S: StringProtocol>(_ label: S) -> some View { self }
  public func accessibilityIdentifier(_ identifier: String) -> some View { self }
  public func speechSpellsOutCharacters(_ value: Bool = true) -> some View { self }
  public func accessibilityElement(children: AccessibilityChildBehavior = .ignore) -> some View { self }

  // Lifecycle
  public func task<T: Equatable>(id: T, priority: TaskPriority = .userInitiated, _ action: @escaping @MainActor @Sendable () async -> Void)
    -> some View
  { self }
  public func onDisappear(perform action: (() -> Void)? = nil) -> some View { self }
  public func onChange<V: Equatable>(of value: V, perform action: @escaping (V) -> Void) -> some View { self }
  public func sheet<Content: View>(
    isPresented: Binding<Bool>, onDismiss: (() -> Void)? = nil, @ViewBuilder content: @escaping () -> Content
  )
    -> some View
  { self }
  public func alert<S: StringProtocol, A: View, M: View>(
    _ title: S, isPresented: Binding<Bool>, @ViewBuilder actions: () -> A, @ViewBuilder message: () -> M
  ) -> some View { self }
}

/// SwiftUI.withAnimation
public func withAnimation<Result>(_ body: () throws -> Result) rethrows -> Result { try body() }

/// SwiftUI.PrimitiveButtonStyle
public protocol PrimitiveButtonStyle {}

/// SwiftUI.BorderedButtonStyle
public struct BorderedButtonStyle: PrimitiveButtonStyle {}

/// SwiftUI.BorderedProminentButtonStyle
public struct BorderedProminentButtonStyle: PrimitiveButtonStyle {}

extension PrimitiveButtonStyle where Self == BorderedButtonStyle {
  public static var bordered: BorderedButtonStyle { BorderedButtonStyle() }
}

extension PrimitiveButtonStyle where Self == BorderedProminentButtonStyle {
  public static var borderedProminent: BorderedProminentButtonStyle { BorderedProminentButtonStyle() }
}

/// SwiftUI.ControlSize
public enum ControlSize: Sendable { case regular, large }

/// SwiftUI.TextFieldStyle
public protocol TextFieldStyle {}

/// SwiftUI.RoundedBorderTextFieldStyle
public struct RoundedBorderTextFieldStyle: TextFieldStyle {}

extension TextFieldStyle where Self == RoundedBorderTextFieldStyle {
  public static var roundedBorder: RoundedBorderTextFieldStyle { RoundedBorderTextFieldStyle() }
}

/// SwiftUI.TextInputAutocapitalization
public struct TextInputAutocapitalization: Sendable {
  public static var never: TextInputAutocapitalization { TextInputAutocapitalization() }
}

/// SwiftUI.SubmitLabel
public struct SubmitLabel: Sendable {
  public static var done: SubmitLabel { SubmitLabel() }
}

/// SwiftUI.TextSelectability
public protocol TextSelectability {}

/// SwiftUI.EnabledTextSelectability
public struct EnabledTextSelectability: TextSelectability {}

extension TextSelectability where Self == EnabledTextSelectability {
  public static var enabled: EnabledTextSelectability { EnabledTextSelectability() }
}

/// SwiftUI.AccessibilityTraits
public struct AccessibilityTraits: Sendable {
  public static let isHeader = AccessibilityTraits()
}

/// SwiftUI.AccessibilityChildBehavior
public struct AccessibilityChildBehavior: Sendable {
  public static let ignore = AccessibilityChildBehavior()
}
