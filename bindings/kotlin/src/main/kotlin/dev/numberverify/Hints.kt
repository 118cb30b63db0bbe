package dev.numberverify

/**
 * Parses hints from a JSON array in the format of the start response (`docs/backend-api.yaml` in
 * the project):
 *
 * ```json
 * [{"host": "*.operator.example", "headers": {"Accept": "text/html"}, "addressFamily": "ipv4", "maxTls": "1.2"}]
 * ```
 *
 * Unknown members are ignored.
 *
 * @throws VerifyException.InvalidConfig if the text has another format, has more than 16 hints, or
 *   if a hint violates a rule of [Hint].
 */
public fun hintsFromJson(json: String): List<Hint> =
    try {
        orVerifyException { coreHintsFromJson(json) }
    } catch (_: CharacterCodingException) {
        // a lone surrogate
        throw CoreException.InvalidConfig(CoreSetting.HINTS).toVerifyException(null)
    }
