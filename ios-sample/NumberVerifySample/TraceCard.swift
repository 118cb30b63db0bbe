import SwiftUI

/// The trace of the verification as a table that is safe to send to support.
struct TraceCard: View {
  let trace: String
  /// The text to share.
  let report: String

  var body: some View {
    VStack(alignment: .leading, spacing: 8) {
      HStack {
        Text(Texts.trace)
          .font(.headline)
          .accessibilityAddTraits(.isHeader)
        Spacer()
        ShareButton(text: report) {
          Label(Texts.share, systemImage: "square.and.arrow.up")
        }
        .accessibilityLabel(Texts.shareTrace)
      }
      Text(Texts.traceWhat)
        .font(.footnote)
        .foregroundStyle(Color("OnSurfaceMuted"))
      ScrollView(.horizontal) {
        Text(trace)
          .font(.system(.footnote, design: .monospaced))
          .textSelection(.enabled)
      }
      .accessibilityLabel(Texts.traceTable)
    }
    .card()
  }
}
