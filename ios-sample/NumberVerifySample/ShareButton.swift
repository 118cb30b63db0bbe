import SwiftUI
import UIKit

/// A button that opens the system's share sheet for a text.
struct ShareButton<Content: View>: View {
  let text: String
  @ViewBuilder let label: () -> Content
  @State private var isSharing = false

  var body: some View {
    if #available(iOS 16, *) {
      ShareLink(item: text, label: label)
    } else {
      Button {
        isSharing = true
      } label: {
        label()
      }
      .sheet(isPresented: $isSharing) { ShareSheet(text: text) }
    }
  }
}

/// The share sheet on iOS 15.
private struct ShareSheet: UIViewControllerRepresentable {
  let text: String

  func makeUIViewController(context: Context) -> UIActivityViewController {
    UIActivityViewController(activityItems: [text], applicationActivities: nil)
  }

  func updateUIViewController(_ controller: UIActivityViewController, context: Context) {}
}
