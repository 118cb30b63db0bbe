package dev.numberverify.sample.check

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.ImageView
import android.widget.ScrollView
import android.widget.TextView
import dev.numberverify.sample.R

/** The views of the device check. Contains no logic. TalkBack reads each row as one sentence. */
class CheckScreen(
    private val root: ScrollView,
    onAnswer: (Boolean) -> Unit,
    onShare: () -> Unit,
) {
    private val prompt = root.findViewById<View>(R.id.check_prompt)
    private val rows: Map<CheckStep, View>

    init {
        val container = root.findViewById<ViewGroup>(R.id.check_steps)
        val inflater = LayoutInflater.from(root.context)
        val margin = root.resources.getDimensionPixelSize(R.dimen.gap) / 2
        rows =
            CheckStep.entries.associateWith {
                inflater.inflate(R.layout.step, container, false).apply { setPadding(0, margin, 0, margin) }.also(container::addView)
            }
        root.findViewById<View>(R.id.check_continue).setOnClickListener { onAnswer(true) }
        root.findViewById<View>(R.id.check_skip).setOnClickListener { onAnswer(false) }
        root.findViewById<View>(R.id.check_share).setOnClickListener { onShare() }
    }

    fun show(state: CheckState) {
        val waiting = state.current?.takeIf { state.isWaiting }
        prompt.visibility = if (waiting == null) View.GONE else View.VISIBLE
        waiting?.let {
            root.smoothScrollTo(0, 0)
            root.findViewById<TextView>(R.id.check_prompt_title).text = it.title
            root.findViewById<TextView>(R.id.check_prompt_text).text = it.instruction
        }
        root.findViewById<TextView>(R.id.check_progress).text =
            when {
                state.isFinished -> root.resources.getString(R.string.check_finished, state.count(Outcome.PASSED), CheckStep.entries.size)
                else -> state.current?.title
            }
        rows.forEach { (step, row) -> row.show(step, state[step], isRunning = step == state.current && !state.isWaiting) }
    }

    private fun View.show(
        step: CheckStep,
        result: CheckResult,
        isRunning: Boolean,
    ) {
        findViewById<View>(R.id.step_running).visibility = if (isRunning) View.VISIBLE else View.GONE
        findViewById<ImageView>(R.id.step_icon).apply {
            visibility = if (isRunning) View.GONE else View.VISIBLE
            setImageResource(result.outcome.icon)
        }
        val isOpen = result.outcome == Outcome.NOT_RUN && result.facts.isEmpty()
        findViewById<TextView>(R.id.step_title).text = step.title
        findViewById<TextView>(R.id.step_what).text = if (isOpen) step.expectation else result.reason
        val words = resources.getString(if (isRunning) R.string.step_running else result.outcome.label)
        findViewById<TextView>(R.id.step_time).text = words
        findViewById<View>(R.id.step_row).contentDescription =
            resources.getString(R.string.check_step_description, step.title, words, if (isOpen) step.expectation else result.reason)
    }
}

private val Outcome.label: Int
    get() =
        when (this) {
            Outcome.NOT_RUN -> R.string.check_not_run
            Outcome.PASSED -> R.string.check_passed
            Outcome.FAILED -> R.string.check_failed
            Outcome.SKIPPED -> R.string.check_skipped
        }

private val Outcome.icon: Int
    get() =
        when (this) {
            Outcome.NOT_RUN -> R.drawable.ic_waiting
            Outcome.PASSED -> R.drawable.ic_done
            Outcome.FAILED -> R.drawable.ic_failed
            Outcome.SKIPPED -> R.drawable.ic_stopped
        }
