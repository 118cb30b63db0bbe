package dev.numberverify.sample

import android.view.View
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.Spinner

/** The choice of a SIM, if there are two or more; or a button that asks for the permission to list them. */
class SimPicker(
    form: View,
    private val onChoice: () -> Unit,
    onAsk: () -> Unit,
) : AdapterView.OnItemSelectedListener {
    private val choice = form.findViewById<View>(R.id.sim_choice)
    private val permission = form.findViewById<View>(R.id.sim_permission)
    private val spinner = form.findViewById<Spinner>(R.id.sim)
    private val ask = form.findViewById<Button>(R.id.ask_for_sims)
    private var subscriptionIds = listOf<Int?>(null)

    /** The chosen SIM; `null` for the one that is set for mobile data. */
    var subscriptionId: Int? = null

    var isEnabled: Boolean
        get() = spinner.isEnabled
        set(value) = listOf(spinner, ask).forEach { it.isEnabled = value }

    init {
        spinner.onItemSelectedListener = this
        ask.setOnClickListener { onAsk() }
    }

    /** A chosen SIM that is not among these is chosen no longer. */
    fun show(
        sims: List<DataSim>,
        canAsk: Boolean,
    ) {
        val offered = if (sims.size > 1) sims else emptyList()
        choice.visibility = if (offered.isEmpty()) View.GONE else View.VISIBLE
        permission.visibility = if (canAsk) View.VISIBLE else View.GONE
        subscriptionIds = listOf(null) + offered.map { it.subscriptionId }
        subscriptionId = subscriptionId.takeIf { it in subscriptionIds }
        val labels =
            listOf(spinner.resources.getString(R.string.sim_for_data)) +
                offered.map { spinner.resources.getString(R.string.sim_in_slot, it.slot, it.name) }
        spinner.adapter =
            ArrayAdapter(spinner.context, android.R.layout.simple_spinner_item, labels)
                .apply { setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item) }
        spinner.setSelection(subscriptionIds.indexOf(subscriptionId))
    }

    override fun onItemSelected(
        parent: AdapterView<*>,
        view: View?,
        position: Int,
        id: Long,
    ) {
        val chosen = subscriptionIds[position]
        if (chosen == subscriptionId) return
        subscriptionId = chosen
        onChoice()
    }

    override fun onNothingSelected(parent: AdapterView<*>) = Unit
}
