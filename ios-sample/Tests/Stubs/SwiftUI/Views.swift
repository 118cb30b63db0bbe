// The SwiftUI views and values that the sample uses.

/// SwiftUI.VStack
public struct VStack<Content: View>: Primitive {
  public init(alignment: HorizontalAlignment = .center, spacing: CGFloat? = nil, @ViewBuilder content: () -> Content) {}
}

/// SwiftUI.HStack
public struct HStack<Content: View>: Primitive {
  public init(alignment: VerticalAlignment = .center, spacing: CGFloat? = nil, @ViewBuilder content: () -> Content) {}
}

/// SwiftUI.ScrollView
public struct ScrollView<Content: View>: Primitive {
  public init(_ axes: Axis.Set = .vertical, showsIndicators: Bool = true, @ViewBuilder content: () -> Content) {}
}

/// SwiftUI.ScrollViewReader
public struct ScrollViewReader<Content: View>: Primitive {
  public init(@ViewBuilder content: @escaping (ScrollViewProxy) -> Content) {}
}

/// SwiftUI.ScrollViewProxy
public struct ScrollViewProxy {
  public func scrollTo<ID: Hashable>(_ id: ID, anchor: UnitPoint? = nil) {}
}

/// SwiftUI.ForEach
public struct ForEach<Data: RandomAccessCollection, ID: Hashable, Content: View>: Primitive {
  public init(_ data: Data, id: KeyPath<Data.Element, ID>, @ViewBuilder content: @escaping (Data.Element) -> Content) {}
}

/// SwiftUI.Spacer
public struct Spacer: Primitive {
  public init(minLength: CGFloat? = nil) {}
}

/// SwiftUI.ProgressView
public struct ProgressView: Primitive {
  public init() {}
}

/// SwiftUI.Text
public struct Text: Primitive {
  public init<S: StringProtocol>(_ content: S) {}
  public func bold() -> Text { self }
}

/// SwiftUI.Image
public struct Image: Primitive {
  public init(systemName: String) {}
}

/// SwiftUI.Label
public struct Label<Title: View, Icon: View>: Primitive {}

extension Label where Title == Text, Icon == Image {
  public init<S: StringProtocol>(_ title: S, systemImage name: String) {}
}

/// SwiftUI.Button
public struct Button<Label: View>: Primitive {
  public init(action: @escaping @MainActor () -> Void, @ViewBuilder label: () -> Label) {}
  public init(role: ButtonRole?, action: @escaping @MainActor () -> Void, @ViewBuilder label: () -> Label) {}
}

extension Button where Label == Text {
  public init<S: StringProtocol>(_ title: S, action: @escaping @MainActor () -> Void) {}
}

/// SwiftUI.ButtonRole
public struct ButtonRole: Sendable {
  public static let cancel = ButtonRole()
}

/// SwiftUI.Toggle
public struct Toggle<Label: View>: Primitive {
  public init(isOn: Binding<Bool>, @ViewBuilder label: () -> Label) {}
}

/// SwiftUI.TextField
public struct TextField<Label: View>: Primitive {}

extension TextField where Label == Text {
  public init<S: StringProtocol>(_ title: S, text: Binding<String>, prompt: Text?) {}
}

/// SwiftUI.ShareLink
public struct ShareLink<Label: View>: Primitive {
  public init(item: String, subject: Text? = nil, message: Text? = nil, @ViewBuilder label: () -> Label) {}
}

/// SwiftUI.Color
public struct Color: Primitive, ShapeStyle {
  public init(_ name: String, bundle: Bundle? = nil) {}
}

/// SwiftUI.ShapeStyle
public protocol ShapeStyle: Sendable {}

/// SwiftUI.Shape
public protocol Shape: Sendable {}

/// SwiftUI.RoundedRectangle
public struct RoundedRectangle: Shape {
  public init(cornerRadius: CGFloat) {}
}

/// SwiftUI.Font
public struct Font: Sendable {
  public static let largeTitle = Font()
  public static let title = Font()
  public static let headline = Font()
  public static let subheadline = Font()
  public static let footnote = Font()

  public static func system(_ style: TextStyle, design: Design = .default) -> Font { Font() }

  public func bold() -> Font { self }
  public func monospacedDigit() -> Font { self }

  /// SwiftUI.Font.TextStyle
  public enum TextStyle: Sendable { case footnote }

  /// SwiftUI.Font.Design
  public enum Design: Sendable { case `default`, monospaced }
}

/// SwiftUI.Alignment
public enum Alignment: Sendable { case center, leading }

/// SwiftUI.HorizontalAlignment
public enum HorizontalAlignment: Sendable { case leading, center, trailing }

/// SwiftUI.VerticalAlignment
public enum VerticalAlignment: Sendable { case top, center, firstTextBaseline }

/// SwiftUI.UnitPoint
public struct UnitPoint: Sendable {
  public static let top = UnitPoint()
}

/// SwiftUI.Axis
public enum Axis {
  /// SwiftUI.Axis.Set
  public enum Set: Sendable { case horizontal, vertical }
}

/// SwiftUI.Edge
public enum Edge {
  /// SwiftUI.Edge.Set
  public enum Set: Sendable { case all, leading }
}
