import NumberVerify
import SwiftUI

/// The four steps, with the hosts under the third one. VoiceOver reads a row as one sentence.
struct StepList: View {
  let steps: Steps

  var body: some View {
    VStack(alignment: .leading, spacing: 12) {
      HStack {
        Text(Texts.steps)
          .font(.headline)
          .accessibilityAddTraits(.isHeader)
        Spacer()
        Text(progress)
          .font(.subheadline)
          .foregroundStyle(Color("OnSurfaceMuted"))
      }
      ForEach(Step.allCases, id: \.self) { step in
        StepRow(step: step, state: steps[step])
        if step == .authorize {
          ForEach(steps.hops, id: \.index) { HopRow(hop: $0) }
        }
      }
    }
    .card()
  }

  private var progress: String {
    steps.current.map { Texts.progress($0) } ?? steps.totalMs.map { Texts.milliseconds($0) } ?? ""
  }
}

private struct StepRow: View {
  let step: Step
  let state: Steps.State

  var body: some View {
    HStack(alignment: .firstTextBaseline, spacing: 12) {
      symbol.frame(minWidth: 24)
      VStack(alignment: .leading, spacing: 2) {
        Text(Texts.title(step))
        Text(Texts.detail(step))
          .font(.footnote)
          .foregroundStyle(Color("OnSurfaceMuted"))
      }
      Spacer()
      if case .done(let tookMs) = state {
        Text(Texts.milliseconds(tookMs))
          .font(.subheadline.monospacedDigit())
      }
    }
    .accessibilityElement(children: .ignore)
    .accessibilityLabel(Texts.text(for: step, state))
  }

  @ViewBuilder private var symbol: some View {
    switch state {
    case .waiting: Image(systemName: "circle").foregroundStyle(Color("Outline"))
    case .running: ProgressView()
    case .done: Image(systemName: "checkmark.circle.fill").foregroundStyle(Color("OnSurfaceSuccess"))
    case .failed: Image(systemName: "xmark.circle.fill").foregroundStyle(Color("OnSurfaceFailure"))
    case .stopped: Image(systemName: "stop.circle").foregroundStyle(Color("Outline"))
    }
  }
}

private struct HopRow: View {
  let hop: Hop

  var body: some View {
    HStack(alignment: .firstTextBaseline, spacing: 8) {
      Text(hop.host)
      if hop.isCleartext {
        Text(Texts.hopCleartext)
          .bold()
          .foregroundStyle(Color("OnSurfaceCleartext"))
      }
      Spacer()
      Text(Texts.status(hop))
      Text(Texts.milliseconds(hop.tookMs))
        .foregroundStyle(Color("OnSurfaceMuted"))
    }
    .font(.footnote.monospacedDigit())
    .padding(.leading, 36)
    .accessibilityElement(children: .ignore)
    .accessibilityLabel(Texts.text(for: hop))
  }
}
