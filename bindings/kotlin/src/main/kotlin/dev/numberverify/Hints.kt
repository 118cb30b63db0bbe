package dev.numberverify

/**
 * Reads hints from a JSON array, in the form in which the start response has them (`docs/backend-api.yaml` in the project):
 *
 * ```json
 * [{"host": "*.operator.example", "headers": {"Accept": "text/html"}, "addressFamily": "ipv4", "maxTls": "1.2"}]
 * ```
 *
 * Members with other names are ignored.
 *
 * @throws VerifyException.InvalidConfig if the text is something else, has more than 16 hints, or if one of them breaks a rule of [Hint].
 */
public fun hintsFromJson(json: String): List<Hint> =
    try {
        orVerifyException { coreHintsFromJson(json) }
    } catch (_: CharacterCodingException) {
        // a lone surrogate
        throw CoreException.InvalidConfig(CoreSetting.HINTS).toVerifyException(null)
    }
