package dev.numberverify.sample

import android.content.res.ColorStateList
import android.graphics.Rect
import android.text.SpannableString
import android.text.Spanned
import android.text.style.TtsSpan
import android.view.View
import android.widget.Button
import android.widget.EditText
import android.widget.ImageView
import android.widget.ScrollView
import android.widget.Switch
import android.widget.TextView
import dev.numberverify.CellularCause
import dev.numberverify.CellularStatus
import dev.numberverify.RetrievedNumber

/**
 * The views of the screen: shows a [UiState] and passes clicks to callbacks. Contains no app logic.
 */
class VerifyScreen(
    private val root: ScrollView,
    development: Development?,
    private val onVerify: () -> Unit,
    onRetrieve: () -> Unit,
    onCancel: () -> Unit,
    onShare: () -> Unit,
    private val onAction: (OutcomeCard.Action) -> Unit,
    onSettings: () -> Unit,
    onRequestPermission: () -> Unit,
    onCheck: () -> Unit,
) {
    private val number = root.findViewById<EditText>(R.id.phone_number)
    private val numberError = root.findViewById<View>(R.id.phone_number_error)
    private val backend = root.findViewById<EditText>(R.id.backend)
    private val anyNetwork = root.findViewById<Switch>(R.id.any_network)
    private val verify = root.findViewById<Button>(R.id.verify)
    private val retrieve = root.findViewById<View>(R.id.retrieval)
    private val cancel = root.findViewById<Button>(R.id.cancel)
    private val cellular = root.findViewById<TextView>(R.id.cellular)
    private val outcome = root.findViewById<View>(R.id.verdict)
    private val progress = root.findViewById<TextView>(R.id.progress)
    private val steps = StepList(root.findViewById(R.id.steps))
    private val traceCard = root.findViewById<View>(R.id.trace_card)
    private val trace = root.findViewById<TextView>(R.id.trace)
    private var shown: UiState? = null

    val sims = SimPicker(root, onSettings, onRequestPermission)

    init {
        development?.backend?.let(backend::setText)
        development?.phoneNumber?.let(number::setText)
        anyNetwork.isChecked = development?.anyNetwork == true
        for (id in listOf(R.id.development, R.id.check)) {
            root.findViewById<View>(id).visibility = if (development == null) View.GONE else View.VISIBLE
        }
        anyNetwork.setOnCheckedChangeListener { _, _ -> onSettings() }
        verify.setOnClickListener { onVerify() }
        root.findViewById<View>(R.id.retrieve).setOnClickListener { onRetrieve() }
        cancel.setOnClickListener { onCancel() }
        root.findViewById<View>(R.id.share).setOnClickListener { onShare() }
        root.findViewById<View>(R.id.check).setOnClickListener { onCheck() }
        number.setOnEditorActionListener { _, _, _ -> onVerify().let { true } }
    }

    val phoneNumber: String get() = number.text.toString()

    val settings: Settings
        get() = Settings(backend.text.toString().trim(), anyNetwork.isChecked, sims.subscriptionId)

    fun show(state: UiState) {
        val isRunning = state is UiState.Running
        listOf(number, backend, anyNetwork).forEach { it.isEnabled = !isRunning }
        sims.isEnabled = !isRunning
        listOf(verify, retrieve).forEach { it.visibility = if (isRunning) View.GONE else View.VISIBLE }
        cancel.visibility = if (isRunning) View.VISIBLE else View.GONE
        numberError.visibility = if (state is UiState.Ready && state.numberIsInvalid) View.VISIBLE else View.GONE
        steps.show(state.steps)
        progress.text = state.steps.text()
        // Only on a change: TalkBack reads a text again when it is set again, and the screen would
        // scroll with each step.
        if (state.card != shown?.card) {
            showCard(state.card)
            // Not when the screen is created again. States that follow soon after another may be the
            // first ones that are shown.
            if (shown != null && state.card != null) scrollTo(outcome)
        }
        showTrace(state.trace)
        shown = state
    }

    fun show(status: CellularStatus?) {
        cellular.visibility = if (status == null) View.INVISIBLE else View.VISIBLE
        if (status != null) cellular.setText(if (anyNetwork.isChecked) R.string.cellular_any else status.text)
    }

    private fun Steps.text(): String? {
        val running = current
        return when {
            running != null -> root.resources.getString(R.string.progress, root.resources.getString(running.title))
            else -> totalMs?.let { root.resources.getString(R.string.milliseconds, it) }
        }
    }

    private fun showCard(card: OutcomeCard?) {
        outcome.visibility = if (card == null) View.GONE else View.VISIBLE
        if (card == null) return
        val background = root.context.getColor(card.tone.background)
        val foreground = root.context.getColor(card.tone.foreground)
        outcome.backgroundTintList = ColorStateList.valueOf(background)
        root.findViewById<ImageView>(R.id.verdict_icon).apply {
            setImageResource(card.icon)
            imageTintList = ColorStateList.valueOf(foreground)
        }
        root.findViewById<TextView>(R.id.verdict_title).showText(root.resources.getString(card.title), foreground)
        root.findViewById<TextView>(R.id.verdict_number).showText(card.number?.text, foreground)
        root.findViewById<TextView>(R.id.verdict_text).showText(root.resources.getString(card.text), foreground)
        root.findViewById<TextView>(R.id.verdict_cause).showText(card.cause, foreground)
        root.findViewById<Button>(R.id.action).apply {
            showAction(card.action, background)
            backgroundTintList = ColorStateList.valueOf(foreground)
        }
        root.findViewById<Button>(R.id.other_action).showAction(card.otherAction, foreground)
    }

    private fun TextView.showText(
        newText: CharSequence?,
        color: Int,
    ) {
        text = newText
        setTextColor(color)
        visibility = if (newText == null) View.GONE else View.VISIBLE
    }

    private fun Button.showAction(
        action: OutcomeCard.Action?,
        color: Int,
    ) {
        showText(action?.let { resources.getString(it.label) }, color)
        setOnClickListener { action?.let(onAction) }
    }

    private fun showTrace(table: String?) {
        traceCard.visibility = if (table == null) View.GONE else View.VISIBLE
        trace.text = table
    }

    /**
     * Scrolls the card to the top of the screen. The position of a card that was hidden is known
     * only after the next layout.
     */
    private fun scrollTo(card: View) {
        card.post {
            val place = Rect(0, 0, card.width, card.height)
            root.offsetDescendantRectToMyCoords(card, place)
            root.smoothScrollTo(0, place.top - root.paddingTop - root.resources.getDimensionPixelSize(R.dimen.gutter))
        }
    }
}

/** The number as a text that TalkBack reads digit by digit. */
private val RetrievedNumber.text: CharSequence
    get() {
        val text = SpannableString(phoneNumber())
        val digits = TtsSpan.TelephoneBuilder(phoneNumber().removePrefix("+")).build()
        return text.apply { setSpan(digits, 0, length, Spanned.SPAN_EXCLUSIVE_EXCLUSIVE) }
    }

private val CellularStatus.text: Int
    get() =
        when (this) {
            CellularStatus.Ready -> R.string.cellular_ready
            CellularStatus.WifiActive -> R.string.cellular_beside_wifi
            is CellularStatus.Unavailable ->
                when (reason) {
                    CellularCause.DATA_OFF -> R.string.cellular_data_off
                    CellularCause.BLOCKED_IN_BACKGROUND -> R.string.cellular_blocked
                    CellularCause.AIRPLANE -> R.string.cellular_airplane
                    CellularCause.NO_SIM -> R.string.cellular_no_sim
                    CellularCause.NOT_DATA_SIM -> R.string.cellular_not_data_sim
                    CellularCause.VPN -> R.string.cellular_vpn
                    CellularCause.PERMISSION -> R.string.cellular_permission
                    else -> R.string.cellular_unavailable
                }
        }
