import SwiftUI
import UIKit

/// "Check this phone": the library and the platform on this phone, step by step, with a report to
/// share. In debug builds only, because it needs the simulator's settings.
struct CheckView: View {
  @StateObject private var check: DeviceCheck

  init(development: Development, settings: Settings, phoneNumber: String) {
    _check = StateObject(wrappedValue: DeviceCheck(development: development, settings: settings, phoneNumber: phoneNumber))
  }

  var body: some View {
    ScrollViewReader { reader in
      ScrollView {
        content.padding()
      }
      .onChange(of: instruction) { instruction in
        guard let instruction else { return }
        withAnimation { reader.scrollTo(CheckView.top, anchor: .top) }
        UIAccessibility.post(notification: .announcement, argument: instruction)
      }
    }
    .background(Color("Background").ignoresSafeArea())
    // Continues in the background; ends with the screen.
    .task(id: true) {
      // A locked phone would end the check: a person needs time for the instructions.
      UIApplication.shared.isIdleTimerDisabled = true
      defer { UIApplication.shared.isIdleTimerDisabled = false }
      await check.run()
    }
  }

  private static let top = "top"

  /// What the person is to do now.
  private var instruction: String? { check.state.isWaiting ? check.state.current?.instruction : nil }

  private var content: some View {
    VStack(alignment: .leading, spacing: 16) {
      Text(Texts.check)
        .font(.largeTitle.bold())
        .accessibilityAddTraits(.isHeader)
        .id(CheckView.top)
      Text(Texts.checkWhat)
        .foregroundStyle(Color("OnBackgroundMuted"))
      if let step = check.state.current, let instruction {
        prompt(step, instruction)
      }
      steps
    }
  }

  private func prompt(_ step: CheckStep, _ instruction: String) -> some View {
    VStack(alignment: .leading, spacing: 12) {
      Text(step.title)
        .font(.headline)
        .accessibilityAddTraits(.isHeader)
      Text(instruction)
      Button {
        check.answer(isDone: true)
      } label: {
        Text(Texts.checkContinue).bold().foregroundStyle(Color("OnAccent")).frame(maxWidth: .infinity)
      }
      .buttonStyle(.borderedProminent)
      .controlSize(.large)
      .accessibilityIdentifier("check-continue")
      Button {
        check.answer(isDone: false)
      } label: {
        Text(Texts.checkSkip).frame(maxWidth: .infinity)
      }
      .buttonStyle(.bordered)
      .controlSize(.large)
      .accessibilityIdentifier("check-skip")
    }
    .card()
  }

  private var steps: some View {
    VStack(alignment: .leading, spacing: 12) {
      Text(check.state.isFinished ? Texts.checkFinished(check.state) : check.state.current?.title ?? "")
        .font(.headline)
        .accessibilityAddTraits(.isHeader)
        .accessibilityIdentifier(check.state.isFinished ? "check-finished" : "check-progress")
      ForEach(CheckStep.allCases, id: \.self) { step in
        CheckRow(step: step, result: check.state[step], isRunning: step == check.state.current && !check.state.isWaiting)
      }
      ShareButton(text: check.report.share()) {
        Text(Texts.shareReport).frame(maxWidth: .infinity)
      }
      .buttonStyle(.bordered)
      .controlSize(.large)
      Text(Texts.checkShareWhat)
        .font(.footnote)
        .foregroundStyle(Color("OnSurfaceMuted"))
    }
    .card()
  }
}

private struct CheckRow: View {
  let step: CheckStep
  let result: CheckResult
  let isRunning: Bool

  var body: some View {
    HStack(alignment: .firstTextBaseline, spacing: 12) {
      symbol.frame(minWidth: 24)
      VStack(alignment: .leading, spacing: 2) {
        Text(step.title)
        Text(detail)
          .font(.footnote)
          .foregroundStyle(Color("OnSurfaceMuted"))
      }
      Spacer()
      Text(words)
        .font(.subheadline)
    }
    .accessibilityElement(children: .ignore)
    .accessibilityLabel("\(step.title): \(words). \(detail)")
  }

  private var words: String { isRunning ? Texts.stepRunning : Texts.text(for: result.outcome) }

  private var detail: String { result.outcome == .notRun && result.facts.isEmpty ? step.expectation : result.reason }

  @ViewBuilder private var symbol: some View {
    if isRunning {
      ProgressView()
    } else {
      switch result.outcome {
      case .notRun: Image(systemName: "circle").foregroundStyle(Color("Outline"))
      case .passed: Image(systemName: "checkmark.circle.fill").foregroundStyle(Color("OnSurfaceSuccess"))
      case .failed: Image(systemName: "xmark.circle.fill").foregroundStyle(Color("OnSurfaceFailure"))
      case .skipped: Image(systemName: "stop.circle").foregroundStyle(Color("Outline"))
      }
    }
  }
}

extension DeviceCheck {
  /// The check of this phone. Writes the report to the app's documents after each step, for
  /// `scripts/device-check`.
  convenience init(development: Development, settings: Settings, phoneNumber: String) {
    let platform = AppleCheckPlatform(development: development, settings: settings, phoneNumber: phoneNumber)
    self.init(platform: platform, isAttended: development.isAttended, dnsHost: development.dnsHost) { report in
      do {
        let folder = try FileManager.default.url(for: .documentDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
        try Data(report.json().utf8).write(to: folder.appendingPathComponent("device-check.json"), options: .atomic)
      } catch {
        assertionFailure("the report cannot be written: \(error)")
      }
    }
  }
}
