package dev.numberverify

/** A backend that returns the same auth URL for every request. */
class OneUrl(
    private val authUrl: String,
    private val complete: suspend () -> String = { """{"verified":true}""" },
) : Backend {
    override suspend fun start(request: StartRequest): AuthorizationStart = AuthorizationStart(authUrl, null, null, null)

    override suspend fun complete(request: CompletionRequest): String = complete()
}
