package dev.numberverify

/**
 * Options for one verification or retrieval, in addition to the settings of its [NumberVerifier].
 * All are optional.
 *
 * ```kotlin
 * verifier.verify("+14155550100") {
 *     header("Authorization", "Bearer $accessToken")
 *     startField("attestation", integrityToken)
 * }
 * ```
 *
 * From Java:
 * `verifier.verifyAsync(number, new VerificationOptions().header("Authorization", token))`. Not
 * thread-safe. `toString()` contains no values.
 */
public class VerificationOptions {
    private val headers = mutableListOf<Pair<String, String>>()
    private val startFields = mutableListOf<Triple<String, String, Boolean>>()
    private var correlator: String? = null

    /**
     * Adds a header to this verification's calls to the backend, such as an access token that
     * expires. Replaces the header of [NumberVerifierConfig.header] with the same name. It is never
     * sent to an operator.
     *
     * @param name an HTTP token, distinct from the names of the other headers here, and not one
     *   that the client sets itself.
     * @param value printable ASCII.
     */
    public fun header(
        name: String,
        value: String,
    ): VerificationOptions = apply { headers += name to value }

    /**
     * Adds a string member to the start request, such as a Play Integrity token as `attestation`.
     *
     * @param name 1 to 64 characters, distinct from the names of the other members here, and not
     *   one that the contract uses ([NumberVerifierConfig.FieldNames], `purpose`). At most 16
     *   members, whose names and JSON texts total at most 16 KiB.
     * @param value any text.
     */
    public fun startField(
        name: String,
        value: String,
    ): VerificationOptions = apply { startFields += Triple(name, value, false) }

    /**
     * Adds a member with any JSON value to the start request.
     *
     * @param name as for [startField].
     * @param json JSON text, such as `{"token":"…"}` or `true`. Sent as the same value, but not
     *   necessarily as the same text.
     */
    public fun startFieldJson(
        name: String,
        json: String,
    ): VerificationOptions = apply { startFields += Triple(name, json, true) }

    /**
     * Sets the `x-correlator` header of this verification's calls to the backend, and the
     * correlator of its [Trace]. Defaults to a random UUID.
     *
     * @param value 1 to 256 of the characters `A-Z a-z 0-9 - _ : ; . / < > { }` (CAMARA). It may
     *   be logged, so it must contain neither the phone number nor a secret from the headers and start
     *   fields. Prefer a UUID: backends may log and forward nothing else, as the reference backends
     *   do.
     */
    public fun correlator(value: String): VerificationOptions = apply { correlator = value }

    override fun toString(): String = "VerificationOptions"

    /**
     * Whether both have the same headers, start fields and correlator, in any order. For an app's
     * own tests.
     */
    override fun equals(other: Any?): Boolean = other is VerificationOptions && other.values() == values()

    override fun hashCode(): Int = values().hashCode()

    private fun values() = Triple(headers.toSet(), startFields.toSet(), correlator)

    internal fun copy(): VerificationOptions {
        val original = this
        return VerificationOptions().apply {
            headers += original.headers
            startFields += original.startFields
            correlator = original.correlator
        }
    }

    /** Calls [call] with these options as [CoreOptions], which are valid only during the call. */
    internal fun <T> use(call: (CoreOptions) -> T): T {
        val coreHeaders = mutableListOf<CoreHeader>()
        val coreFields = mutableListOf<CoreStartField>()
        try {
            convertible(CoreSetting.HEADERS) { headers.mapTo(coreHeaders) { (name, value) -> CoreHeader(name, value) } }
            convertible(CoreSetting.START_FIELDS) {
                startFields.mapTo(coreFields) { (name, value, isJson) ->
                    if (isJson) CoreStartField(name, value) else CoreStartField.withText(name, value)
                }
            }
            convertible(CoreSetting.CORRELATOR) { correlator?.let(FfiConverterString::requireConvertible) }
            return call(CoreOptions(coreHeaders, coreFields, correlator))
        } finally {
            coreHeaders.forEach(CoreHeader::destroy)
            coreFields.forEach(CoreStartField::destroy)
        }
    }

    private fun convertible(
        setting: CoreSetting,
        convert: () -> Unit,
    ) = try {
        convert()
    } catch (_: CharacterCodingException) {
        // a lone surrogate
        throw CoreException.InvalidConfig(setting).toVerifyException(null)
    }
}
