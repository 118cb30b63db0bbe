import SwiftUI
import UIKit

/// The app's first screen. Renders the model's state and forwards user actions; contains no logic.
struct VerifyView: View {
  @StateObject private var model = VerifyModel(development: .current)
  @State private var isSMSExplained = false
  @Environment(\.scenePhase) private var scenePhase
  @Environment(\.horizontalSizeClass) private var horizontalSizeClass
  @Environment(\.verticalSizeClass) private var verticalSizeClass
  @Environment(\.dynamicTypeSize) private var dynamicTypeSize

  var body: some View {
    ScrollViewReader { reader in
      ScrollView {
        columns.padding()
      }
      .background(Color("Background").ignoresSafeArea())
      .onChange(of: model.state.card) { card in
        guard let card else { return }
        withAnimation { reader.scrollTo(ScrollTarget.outcome, anchor: .top) }
        announce(card.announcement)
      }
    }
    .onChange(of: model.state.announcement) { announcement in
      if let announcement { announce(announcement) }
    }
    // Also on return from Settings, where the user may have turned on mobile data.
    .task(
      id: Preparation(isActive: scenePhase == .active && !model.isChecking, anyNetwork: model.settings.anyNetwork)
    ) {
      if scenePhase == .active && !model.isChecking { await model.prepare() }
    }
    // Not called on rotation. A verification is of no use after the user has left the screen.
    .onDisappear { model.cancel() }
    .sheet(isPresented: $model.isChecking) {
      if let development = Development.current {
        CheckView(development: development, settings: model.settings, phoneNumber: model.phoneNumber)
      }
    }
    .alert(Texts.useSms, isPresented: $isSMSExplained) {
      Button(Texts.ok) {}
    } message: {
      Text(Texts.useSmsWhat)
    }
  }

  /// Two columns on an iPad and on a phone in landscape.
  @ViewBuilder private var columns: some View {
    if usesTwoColumns {
      HStack(alignment: .top, spacing: 16) {
        form
        outcome
      }
    } else {
      VStack(spacing: 16) {
        form
        outcome
      }
    }
  }

  private var usesTwoColumns: Bool {
    (horizontalSizeClass == .regular || verticalSizeClass == .compact) && !dynamicTypeSize.isAccessibilitySize
  }

  private var form: some View {
    FormView(model: model)
  }

  private var outcome: some View {
    VStack(spacing: 16) {
      if let card = model.state.card {
        OutcomeCardView(card: card, act: act)
          .id(ScrollTarget.outcome)
      }
      StepList(steps: model.state.steps)
      if let trace = model.state.trace, let report = model.state.report {
        TraceCard(trace: trace, report: report)
      }
    }
  }

  private func announce(_ announcement: String) {
    UIAccessibility.post(notification: .announcement, argument: announcement)
  }

  private func act(_ action: OutcomeCard.Action) {
    switch action {
    case .tryAgain: model.tryAgain()
    case .useSMS: isSMSExplained = true
    case .openSettings:
      // The app's page, which has its mobile data switch.
      if let settings = URL(string: UIApplication.openSettingsURLString) { UIApplication.shared.open(settings) }
    case .shareReport: break  // Handled by ShareButton.
    }
  }
}

private struct Preparation: Equatable {
  let isActive: Bool
  let anyNetwork: Bool
}

private enum ScrollTarget: Hashable {
  case outcome
}
