import SwiftUI

/// The outcome in large type, with the available actions.
struct OutcomeCardView: View {
  let card: OutcomeCard
  let act: (OutcomeCard.Action) -> Void

  var body: some View {
    VStack(alignment: .leading, spacing: 12) {
      HStack(spacing: 12) {
        Image(systemName: card.symbol)
          .font(.largeTitle)
          .accessibilityHidden(true)
        Text(card.title)
          .font(.title.bold())
          .accessibilityAddTraits(.isHeader)
      }
      if let number = card.number {
        Text(number.phoneNumber)
          .font(.title.monospacedDigit())
          .speechSpellsOutCharacters()
      }
      Text(card.text)
      if let cause = card.cause {
        Text(cause)
          .font(.footnote)
          .textSelection(.enabled)
      }
      ForEach(card.actions, id: \.self) { action in
        if action == card.actions.first {
          button(action, label: background).buttonStyle(.borderedProminent)
        } else {
          button(action, label: foreground).buttonStyle(.bordered)
        }
      }
    }
    .foregroundStyle(foreground)
    .tint(foreground)
    .card(background)
  }

  @ViewBuilder private func button(_ action: OutcomeCard.Action, label: Color) -> some View {
    if action == .shareReport {
      ShareButton(text: card.report) { text(action, label) }
        .controlSize(.large)
    } else {
      Button {
        act(action)
      } label: {
        text(action, label)
      }
      .controlSize(.large)
    }
  }

  private func text(_ action: OutcomeCard.Action, _ color: Color) -> some View {
    Text(Texts.label(action)).foregroundStyle(color).frame(maxWidth: .infinity)
  }

  private var background: Color { Color(card.tone.rawValue) }

  private var foreground: Color { Color("On\(card.tone.rawValue)") }
}
