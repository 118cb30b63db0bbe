import SwiftUI
import UIKit

/// The app's only screen. Shows the model's state and hands it what a person does; decides nothing.
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
        withAnimation { reader.scrollTo(Place.outcome, anchor: .top) }
        announce(card.announcement)
      }
    }
    .onChange(of: model.state.announcement) { announcement in
      if let announcement { announce(announcement) }
    }
    // Again on the way back from Settings, where a person may have turned mobile data on.
    .task(id: Preparation(isActive: scenePhase == .active, anyNetwork: model.settings.anyNetwork)) {
      if scenePhase == .active { await model.prepare() }
    }
    // Not on rotation. A verification for a screen that was left is of no use to anybody.
    .onDisappear { model.cancel() }
    .alert(Texts.useSms, isPresented: $isSMSExplained) {
      Button(Texts.ok) {}
    } message: {
      Text(Texts.useSmsWhat)
    }
  }

  /// Side by side where there is room: on an iPad, and on a phone in landscape.
  @ViewBuilder private var columns: some View {
    if hasRoomForTwo {
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

  private var hasRoomForTwo: Bool {
    (horizontalSizeClass == .regular || verticalSizeClass == .compact) && !dynamicTypeSize.isAccessibilitySize
  }

  private var form: some View {
    FormView(model: model)
  }

  private var outcome: some View {
    VStack(spacing: 16) {
      if let card = model.state.card {
        OutcomeCardView(card: card, act: act)
          .id(Place.outcome)
      }
      StepList(steps: model.state.steps)
      if let trace = model.state.trace {
        TraceCard(trace: trace)
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
      // The app's own page, which has its switch for mobile data.
      if let settings = URL(string: UIApplication.openSettingsURLString) { UIApplication.shared.open(settings) }
    case .shareReport: break  // Its button is a ShareButton.
    }
  }
}

private struct Preparation: Equatable {
  let isActive: Bool
  let anyNetwork: Bool
}

private enum Place: Hashable {
  case outcome
}
