package dev.numberverify.sample

import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Insets
import android.graphics.Rect
import android.view.View
import android.view.WindowInsets
import android.widget.Button
import android.widget.EditText
import android.widget.ImageView
import android.widget.ProgressBar
import android.widget.ScrollView
import android.widget.TextView
import dev.numberverify.Fallback
import dev.numberverify.RetrievedNumber
import dev.numberverify.testsupport.Simulator
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.GraphicsMode
import kotlin.math.max
import kotlin.math.min

/**
 * Accessibility of the screen: TalkBack, large fonts, contrast, landscape, and system bars over the
 * window.
 */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class AccessibilityTest {
    @Test
    fun `fields have labels, images are not read, changes are announced`() =
        withResult { phone ->
            val labelled = phone.views.map { it.labelFor }
            phone.views.filterIsInstance<EditText>().forEach { assertTrue("$it", it.id in labelled) }
            phone.views.filter { it is ImageView || it is ProgressBar }.forEach {
                assertEquals("$it", View.IMPORTANT_FOR_ACCESSIBILITY_NO, it.importantForAccessibility)
            }
            assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE, phone.view<View>(R.id.progress).accessibilityLiveRegion)
            assertEquals(View.ACCESSIBILITY_LIVE_REGION_ASSERTIVE, phone.view<View>(R.id.verdict_title).accessibilityLiveRegion)
            assertTrue(phone.views.filter { it.id == R.id.hop_host }.all { (it.parent as View).contentDescription.isNotEmpty() })
        }

    @Test
    fun `touch targets are at least 48 dp high and wide`() =
        withResult { phone ->
            val minSize = 48 * phone.activity.resources.displayMetrics.density
            val targets = phone.views.filter { it is Button || it is EditText }
            assertTrue("$targets", targets.size >= 6)
            targets.forEach { assertTrue("$it", it.height >= minSize && it.width >= minSize) }
        }

    @Test
    fun `no text is clipped at twice the font size`() {
        RuntimeEnvironment.setFontScale(2f)
        withResult { phone ->
            phone.views.filterIsInstance<TextView>().filter { it.text.isNotEmpty() }.forEach {
                val needed = it.layout.height + it.totalPaddingTop + it.totalPaddingBottom
                assertTrue("${it.text} needs $needed px and has ${it.height}", it.height >= needed)
            }
        }
    }

    @Test
    fun `every text has a contrast of at least 4,5 to 1, in light and dark`() {
        val read =
            mapOf(
                R.color.background to listOf(R.color.on_background, R.color.on_background_muted),
                R.color.surface to
                    listOf(
                        R.color.on_surface,
                        R.color.on_surface_muted,
                        R.color.on_surface_success,
                        R.color.on_surface_failure,
                        R.color.on_surface_cleartext,
                        R.color.on_surface_accent,
                    ),
                R.color.accent to listOf(R.color.on_accent),
                R.color.success to listOf(R.color.on_success),
                R.color.caution to listOf(R.color.on_caution),
                R.color.failure to listOf(R.color.on_failure),
            )
        for (mode in listOf("+notnight", "+night")) {
            RuntimeEnvironment.setQualifiers(mode)
            val resources = RuntimeEnvironment.getApplication()
            read.forEach { (background, texts) ->
                texts.forEach { text ->
                    val ratio = contrast(resources.getColor(background), resources.getColor(text))
                    assertTrue("$mode ${resources.resources.getResourceEntryName(text)}: $ratio", ratio >= 4.5)
                }
            }
        }
    }

    @Test
    fun `drawn text has sufficient contrast on every card`() {
        for (mode in listOf("+notnight", "+night")) {
            RuntimeEnvironment.setQualifiers(mode)
            Phone(Intent()).use { phone ->
                val root = phone.view<ScrollView>(R.id.screen)
                val screen = VerifyScreen(root, null, {}, {}, {}, {}, {}, {}, {}, {})
                for (state in states) {
                    screen.show(state)
                    phone.settle()
                    root.scrollTo(0, phone.view<View>(R.id.steps).height)
                    val image = Rendering(root)
                    phone.views.filterIsInstance<TextView>().filter { it.isEnabled && it.text.isNotEmpty() && image.contains(it) }.forEach {
                        assertTrue("$mode $state: ${it.text} has ${image.contrastOf(it)}", image.contrastOf(it) >= 4.5)
                    }
                }
            }
        }
    }

    @Test
    fun `in landscape the outcome is next to the form`() =
        withResult { phone ->
            phone.rotate(Phone.LANDSCAPE)
            val form = phone.view<View>(R.id.phone_number)
            val outcome = phone.view<View>(R.id.verdict)
            assertTrue(left(outcome) > left(form) + form.width)
        }

    @Test
    fun `the screen keeps clear of the system bars`() =
        Phone(Intent()).use { phone ->
            val screen = phone.view<View>(R.id.screen)
            val bars = WindowInsets.Builder().setInsets(WindowInsets.Type.systemBars(), Insets.of(1, 24, 2, 48)).build()
            screen.dispatchApplyWindowInsets(bars)
            assertEquals(listOf(1, 24, 2, 48), screen.run { listOf(paddingLeft, paddingTop, paddingRight, paddingBottom) })
            assertFalse(screen.fitsSystemWindows)
        }

    private val states =
        listOf(
            UiState.Running(Steps(isSlow = true)),
            UiState.Completed(verified = true, Steps(), "table"),
            UiState.Completed(verified = false, Steps(), "table"),
            UiState.Retrieved(RetrievedNumber("+14155550100"), Steps()),
            UiState.Cancelled(Steps()),
        ) + Fallback.entries.map { UiState.Failed(Problem(it, "cause", trace = "table"), Steps()) }

    /** The pixels of a view, and the contrast of a text against its surroundings. */
    private class Rendering(
        root: View,
    ) {
        private val bitmap = Bitmap.createBitmap(root.width, root.height, Bitmap.Config.ARGB_8888)
        private val bounds = Rect(0, 0, root.width, root.height)
        private val origin = IntArray(2).also(root::getLocationInWindow)

        init {
            val canvas = Canvas(bitmap)
            canvas.drawColor(root.context.getColor(R.color.background))
            root.draw(canvas.apply { translate(-root.scrollX.toFloat(), -root.scrollY.toFloat()) })
        }

        fun contains(view: View): Boolean = bounds.contains(boundsOf(view))

        fun contrastOf(view: View): Double {
            val place = boundsOf(view)
            val pixels = IntArray(place.width() * place.height())
            bitmap.getPixels(pixels, 0, place.width(), place.left, place.top, place.width(), place.height())
            val background =
                pixels
                    .toList()
                    .groupingBy { it }
                    .eachCount()
                    .maxBy { it.value }
                    .key
            return pixels.distinct().maxOf { contrast(background, it) }
        }

        private fun boundsOf(view: View): Rect {
            val corner = IntArray(2).also(view::getLocationInWindow)
            val (left, top) = corner[0] - origin[0] to corner[1] - origin[1]
            // Without the rounded corners, which show the background.
            return Rect(left, top, left + view.width, top + view.height).apply { inset(view.paddingLeft, view.paddingTop / 2) }
        }
    }

    private fun withResult(scene: (Phone) -> Unit) =
        Simulator().use { simulator ->
            Phone(simulator.intent()).use { phone ->
                phone.verify("+14155550199")
                phone.awaitCard(R.string.not_verified)
                phone.settle()
                scene(phone)
            }
        }

    private fun left(view: View) = IntArray(2).also(view::getLocationInWindow)[0]

    private companion object {
        /** WCAG 2.2, "contrast ratio". */
        fun contrast(
            one: Int,
            other: Int,
        ): Double {
            val (first, second) = Color.luminance(one) + 0.05 to Color.luminance(other) + 0.05
            return max(first, second) / min(first, second)
        }
    }
}
