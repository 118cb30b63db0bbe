package dev.numberverify.sample

import android.view.View
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.Spinner

/**
 * The SIM picker, if there are two or more SIMs; or a button that requests the permission to list
 * them.
 */
class SimPicker(
    form: View,
    private val onChoice: () -> Unit,
    onRequestPermission: () -> Unit,
) : AdapterView.OnItemSelectedListener {
    private val choice = form.findViewById<View>(R.id.sim_choice)
    private val permission = form.findViewById<View>(R.id.sim_permission)
    private val spinner = form.findViewById<Spinner>(R.id.sim)
    private val permissionButton = form.findViewById<Button>(R.id.ask_for_sims)
    private var subscriptionIds = listOf<Int?>(null)

    /** The chosen SIM; `null` for the SIM for mobile data. */
    var subscriptionId: Int? = null

    var isEnabled: Boolean
        get() = spinner.isEnabled
        set(value) = listOf(spinner, permissionButton).forEach { it.isEnabled = value }

    init {
        spinner.onItemSelectedListener = this
        permissionButton.setOnClickListener { onRequestPermission() }
    }

    /** Shows these SIMs. Resets the choice if the chosen SIM is not among them. */
    fun show(
        sims: List<DataSim>,
        canRequestPermission: Boolean,
    ) {
        val offered = if (sims.size > 1) sims else emptyList()
        choice.visibility = if (offered.isEmpty()) View.GONE else View.VISIBLE
        permission.visibility = if (canRequestPermission) View.VISIBLE else View.GONE
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
