// The first example of docs/quick-start-ios.md, in an app. `scripts/test-consumers swift` writes
// Example.swift: the example as it is, in the function `example`.

let accessToken = "token"
func signIn() { print("verified: true") }
func sendSmsCode() { print("verified: false") }
func offerToTryAgain() { print("not verified: try again") }
func askToEnableMobileData() { print("not verified: no mobile data") }

try await example()
