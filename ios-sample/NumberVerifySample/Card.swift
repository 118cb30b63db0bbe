import SwiftUI

extension View {
  /// On a surface of its own, as wide as there is room.
  func card(_ background: Color = Color("Surface")) -> some View {
    frame(maxWidth: .infinity, alignment: .leading)
      .padding()
      .background(background, in: RoundedRectangle(cornerRadius: 20))
  }
}
