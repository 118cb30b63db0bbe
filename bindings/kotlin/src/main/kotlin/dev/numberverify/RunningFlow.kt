package dev.numberverify

/**
 * A verification or retrieval in the core, and its result type. The generated code has a class for
 * each of the two kinds and no common type.
 */
internal class RunningFlow<T>(
    val result: suspend () -> T,
    val trace: () -> CoreTrace,
    val cancel: () -> Unit,
    val destroy: () -> Unit,
)

internal fun CoreFlow.running() = RunningFlow({ result().toVerification() }, ::trace, ::cancel, ::destroy)

internal fun CoreRetrieval.running() = RunningFlow({ result().toRetrievedNumber() }, ::trace, ::cancel, ::destroy)
