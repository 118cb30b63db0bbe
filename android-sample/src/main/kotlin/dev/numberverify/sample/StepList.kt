package dev.numberverify.sample

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.ImageView
import android.widget.TextView
import dev.numberverify.Step

/**
 * The rows of the four steps, with the hosts below the third one. TalkBack reads each row as one
 * sentence.
 */
class StepList(
    private val container: ViewGroup,
) {
    private val inflater = LayoutInflater.from(container.context)
    private val rows = Step.entries.associateWith { inflater.inflate(R.layout.step, container, false) }

    init {
        rows.forEach { (step, row) ->
            row.findViewById<TextView>(R.id.step_title).setText(step.title)
            row.findViewById<TextView>(R.id.step_what).setText(step.explanation)
            container.addView(row)
        }
    }

    fun show(steps: Steps) {
        rows.forEach { (step, row) -> row.show(step, steps[step]) }
        val hops = rows.getValue(Step.AUTHORIZE).findViewById<ViewGroup>(R.id.hops)
        if (hops.childCount > steps.hops.size) hops.removeAllViews()
        steps.hops.drop(hops.childCount).forEach { hops.addView(row(it, hops)) }
    }

    private fun View.show(
        step: Step,
        state: StepState,
    ) {
        val isRunning = state is StepState.Running
        findViewById<View>(R.id.step_running).visibility = if (isRunning) View.VISIBLE else View.GONE
        findViewById<ImageView>(R.id.step_icon).apply {
            visibility = if (isRunning) View.GONE else View.VISIBLE
            setImageResource(state.icon)
        }
        val durationMs = (state as? StepState.Done)?.durationMs
        findViewById<TextView>(R.id.step_time).text = durationMs?.let { resources.getString(R.string.milliseconds, it) }
        val title = resources.getString(step.title)
        val text = resources.getString(state.text)
        findViewById<View>(R.id.step_row).contentDescription =
            if (durationMs == null) {
                resources.getString(R.string.step_description, title, text)
            } else {
                resources.getString(R.string.step_description_with_time, title, text, durationMs)
            }
    }

    private fun row(
        hop: HopRow,
        parent: ViewGroup,
    ): View =
        inflater.inflate(R.layout.hop, parent, false).apply {
            val status = hop.status?.toString() ?: resources.getString(R.string.hop_no_answer)
            findViewById<TextView>(R.id.hop_host).text = hop.host
            findViewById<View>(R.id.hop_cleartext).visibility = if (hop.isCleartext) View.VISIBLE else View.GONE
            findViewById<TextView>(R.id.hop_status).text = status
            findViewById<TextView>(R.id.hop_time).text = resources.getString(R.string.milliseconds, hop.durationMs)
            val description = if (hop.isCleartext) R.string.hop_description_cleartext else R.string.hop_description
            contentDescription = resources.getString(description, hop.index, hop.host, status, hop.durationMs)
        }
}

val Step.title: Int
    get() =
        when (this) {
            Step.START -> R.string.step_start
            Step.ACQUIRE -> R.string.step_acquire
            Step.AUTHORIZE -> R.string.step_authorize
            Step.COMPLETE -> R.string.step_complete
        }

private val Step.explanation: Int
    get() =
        when (this) {
            Step.START -> R.string.step_start_what
            Step.ACQUIRE -> R.string.step_acquire_what
            Step.AUTHORIZE -> R.string.step_authorize_what
            Step.COMPLETE -> R.string.step_complete_what
        }

private val StepState.icon: Int
    get() =
        when (this) {
            StepState.Waiting, is StepState.Running -> R.drawable.ic_waiting
            is StepState.Done -> R.drawable.ic_done
            StepState.Failed -> R.drawable.ic_failed
            StepState.Stopped -> R.drawable.ic_stopped
        }

private val StepState.text: Int
    get() =
        when (this) {
            StepState.Waiting -> R.string.step_waiting
            is StepState.Running -> R.string.step_running
            is StepState.Done -> R.string.step_done
            StepState.Failed -> R.string.step_failed
            StepState.Stopped -> R.string.step_stopped
        }
