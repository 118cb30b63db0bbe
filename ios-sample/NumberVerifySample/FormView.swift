import SwiftUI

/// The number, the backend, and the buttons.
struct FormView: View {
  @ObservedObject var model: VerifyModel
  @FocusState private var isTyping: Bool

  var body: some View {
    VStack(alignment: .leading, spacing: 16) {
      VStack(alignment: .leading, spacing: 4) {
        Text(Texts.appName)
          .font(.largeTitle.bold())
          .accessibilityAddTraits(.isHeader)
        Text(Texts.appWhat)
          .foregroundStyle(Color("OnBackgroundMuted"))
        if let cellular = model.cellular {
          Label(model.settings.anyNetwork ? Texts.cellularAny : Texts.text(for: cellular), systemImage: "antenna.radiowaves.left.and.right")
            .font(.subheadline)
            .foregroundStyle(Color("OnBackgroundMuted"))
        }
      }
      if let problem = model.developmentProblem {
        Text(problem)
          .font(.footnote)
          .foregroundStyle(Color("OnSurfaceFailure"))
      }
      card
      if model.state.isRunning {
        Button(role: .cancel, action: model.cancel) {
          Text(Texts.cancel).frame(maxWidth: .infinity)
        }
        .buttonStyle(.bordered)
        .controlSize(.large)
      } else {
        Button(action: verify) {
          Text(Texts.verify).bold().foregroundStyle(Color("OnAccent")).frame(maxWidth: .infinity)
        }
        .buttonStyle(.borderedProminent)
        .controlSize(.large)
        VStack(alignment: .leading, spacing: 4) {
          Button(action: retrieve) {
            Text(Texts.retrieve).frame(maxWidth: .infinity)
          }
          .buttonStyle(.bordered)
          .controlSize(.large)
          Text(Texts.retrieveWhat)
            .font(.footnote)
            .foregroundStyle(Color("OnBackgroundMuted"))
        }
      }
      if model.canUseAnyNetwork {
        Button(action: model.check) {
          Text(Texts.check).frame(maxWidth: .infinity)
        }
        .buttonStyle(.bordered)
        .controlSize(.large)
      }
    }
    .frame(maxWidth: .infinity, alignment: .leading)
  }

  private var card: some View {
    VStack(alignment: .leading, spacing: 12) {
      field(Texts.phoneNumber, prompt: Texts.phoneNumberHint, text: $model.phoneNumber)
        .keyboardType(.phonePad)
        .textContentType(.telephoneNumber)
      if case .ready(numberIsInvalid: true) = model.state {
        Text(Texts.phoneNumberInvalid)
          .font(.footnote)
          .foregroundStyle(Color("OnSurfaceFailure"))
      }
      field(Texts.backend, prompt: Settings().backend, text: $model.settings.backend)
        .keyboardType(.URL)
        .textContentType(.URL)
      if model.canUseAnyNetwork {
        Toggle(isOn: $model.settings.anyNetwork) {
          VStack(alignment: .leading, spacing: 2) {
            Text(Texts.anyNetwork)
            Text(Texts.anyNetworkWhat)
              .font(.footnote)
              .foregroundStyle(Color("OnSurfaceMuted"))
          }
        }
      }
    }
    .disabled(model.state.isRunning)
    .card()
  }

  private func field(_ label: String, prompt: String, text: Binding<String>) -> some View {
    VStack(alignment: .leading, spacing: 4) {
      Text(label)
        .font(.subheadline)
        .foregroundStyle(Color("OnSurfaceMuted"))
        .accessibilityHidden(true)
      TextField(label, text: text, prompt: Text(prompt))
        .textFieldStyle(.roundedBorder)
        .textInputAutocapitalization(.never)
        .disableAutocorrection(true)
        .submitLabel(.done)
        .focused($isTyping)
        .onSubmit(verify)
    }
  }

  private func verify() {
    isTyping = false
    model.verify()
  }

  private func retrieve() {
    isTyping = false
    model.retrieve()
  }
}
