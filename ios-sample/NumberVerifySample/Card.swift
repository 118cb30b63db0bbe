import SwiftUI

extension View {
  /// Places the view on a full-width card.
  func card(_ background: Color = Color("Surface")) -> some View {
    frame(maxWidth: .infinity, alignment: .leading)
      .padding()
      .background(background, in: RoundedRectangle(cornerRadius: 20))
  }
}
