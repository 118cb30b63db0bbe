// What the examples of the README and of the documentation call, and do not show.

func signIn() {}
func sendSmsCode() {}
