// Declarations of views, scenes and apps as in SwiftUI. Stub views render nothing.

@_exported import Combine
@_exported import Foundation
@_exported import UIKit

/// SwiftUI.View
@MainActor @preconcurrency public protocol View {
  associatedtype Body: View
  @ViewBuilder @MainActor @preconcurrency var body: Body { get }
}

extension Never: View {
  public var body: Never { fatalError("has no body") }
}

/// A built-in view of SwiftUI.
public protocol Primitive: View where Body == Never {}

extension Primitive {
  public var body: Never { fatalError("has no body") }
}

/// SwiftUI.EmptyView
public struct EmptyView: Primitive {}

extension Optional: View, Primitive where Wrapped: View {}

/// SwiftUI.TupleView
public struct TupleView<Views>: Primitive {}

/// SwiftUI._ConditionalContent
public struct Either<First: View, Second: View>: Primitive {}

/// SwiftUI.ViewBuilder
@resultBuilder public enum ViewBuilder {
  public static func buildBlock() -> EmptyView { EmptyView() }
  public static func buildBlock<Content: View>(_ content: Content) -> Content { content }
  public static func buildBlock<each Content: View>(_ content: repeat each Content) -> TupleView<(repeat each Content)> { TupleView() }
  public static func buildIf<Content: View>(_ content: Content?) -> Content? { content }
  public static func buildEither<First: View, Second: View>(first: First) -> Either<First, Second> { Either() }
  public static func buildEither<First: View, Second: View>(second: Second) -> Either<First, Second> { Either() }
  public static func buildLimitedAvailability<Content: View>(_ content: Content) -> Content { content }
}

/// SwiftUI.Scene
@MainActor @preconcurrency public protocol Scene {}

/// SwiftUI.SceneBuilder
@resultBuilder public enum SceneBuilder {
  public static func buildBlock<Content: Scene>(_ content: Content) -> Content { content }
}

/// SwiftUI.WindowGroup
public struct WindowGroup<Content: View>: Scene {
  public init(@ViewBuilder content: () -> Content) {}
}

/// SwiftUI.App
@MainActor @preconcurrency public protocol App {
  associatedtype Body: Scene
  @SceneBuilder @MainActor @preconcurrency var body: Body { get }
  @MainActor @preconcurrency init()
}

extension App {
  public static func main() {}
}

/// SwiftUI.UIViewControllerRepresentable
@MainActor @preconcurrency public protocol UIViewControllerRepresentable: View where Body == Never {
  associatedtype UIViewControllerType: UIViewController
  typealias Context = UIViewControllerRepresentableContext<Self>
  func makeUIViewController(context: Context) -> UIViewControllerType
  func updateUIViewController(_ uiViewController: UIViewControllerType, context: Context)
}

extension UIViewControllerRepresentable {
  public var body: Never { fatalError("has no body") }
}

/// SwiftUI.UIViewControllerRepresentableContext
public struct UIViewControllerRepresentableContext<Representable: UIViewControllerRepresentable> {}
