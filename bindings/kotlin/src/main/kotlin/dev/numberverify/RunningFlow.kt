package dev.numberverify

/** A flow that the core runs, and what it results in. The generated code has a class for each of the two kinds, and no type for both. */
internal class RunningFlow<T>(
    val result: suspend () -> T,
    val trace: () -> CoreTrace,
    val cancel: () -> Unit,
    val destroy: () -> Unit,
)

internal fun CoreFlow.running() = RunningFlow({ result().toVerification() }, ::trace, ::cancel, ::destroy)

internal fun CoreRetrieval.running() = RunningFlow({ result().toRetrievedNumber() }, ::trace, ::cancel, ::destroy)
