package dev.numberverify.sample

import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Insets
import android.os.Looper
import android.view.View
import android.view.WindowInsets
import dev.numberverify.sample.check.CheckActivity
import dev.numberverify.testsupport.Simulator
import org.junit.After
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.GraphicsMode
import java.awt.image.BufferedImage
import java.io.File
import javax.imageio.IIOImage
import javax.imageio.ImageIO
import javax.imageio.ImageWriteParam

/**
 * The documentation's screenshots, drawn by the platform's views. `make screenshots` copies them to docs.
 */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class ScreenshotsTest {
    private val simulator = Simulator()

    @After
    fun stop() = simulator.close()

    @Test
    fun start() = inBothModes { simulator.intent().shown("start-$it") {} }

    @Test
    fun running() =
        inBothModes { mode ->
            simulator.gate("operator-b.simulator.test").use { gate ->
                gate.on(simulator.intent()).shown("running-$mode") { phone ->
                    phone.verify("+14155550100")
                    phone.await("the operator") { gate.connections > 0 && phone.hops == 1 }
                }
            }
        }

    @Test
    fun slow() =
        inBothModes { mode ->
            simulator.gate("operator-b.simulator.test").use { gate ->
                gate.on(simulator.intent()).putExtra(Development.SLOW_AFTER_MS, 1L).shown("slow-$mode") { phone ->
                    phone.verify("+14155550100")
                    phone.await("the operator") { gate.connections > 0 && phone.hops == 1 }
                    phone.awaitCard(R.string.slow)
                }
            }
        }

    @Test
    fun verified() =
        inBothModes { mode ->
            simulator.intent().shown("verified-$mode") { phone ->
                phone.verify("+14155550100")
                phone.awaitCard(R.string.verified)
            }
        }

    @Test
    fun `not verified`() =
        inBothModes { mode ->
            simulator.intent().shown("not-verified-$mode") { phone ->
                phone.verify("+14155550199")
                phone.awaitCard(R.string.not_verified)
            }
        }

    @Test
    fun error() =
        inBothModes { mode ->
            Cellular.setMobileData(false)
            simulator.intent().putExtra(Development.ANY_NETWORK, false).shown("error-$mode") { phone ->
                phone.verify("+14155550100")
                phone.awaitCard(R.string.mobile_data_needed)
            }
        }

    @Test
    fun `device check`() =
        inBothModes { mode ->
            val controller = Robolectric.buildActivity(CheckActivity::class.java, simulator.intent()).setup()
            shadowOf(Looper.getMainLooper()).idle()
            val screen = controller.get().findViewById<View>(R.id.check_screen)
            screen.dispatchApplyWindowInsets(BARS)
            shadowOf(Looper.getMainLooper()).idle()
            screen.hideScrollBars()
            controller
                .get()
                .window.decorView
                .save("check-$mode")
            controller.pause().stop().destroy()
        }

    private fun inBothModes(scene: (String) -> Unit) =
        mapOf("light" to "+notnight", "dark" to "+night").forEach { (mode, qualifier) ->
            RuntimeEnvironment.setQualifiers(qualifier)
            scene(mode)
        }

    private fun Intent.shown(
        name: String,
        scene: (Phone) -> Unit,
    ) = Phone(this).use { phone ->
        phone.view<View>(R.id.screen).dispatchApplyWindowInsets(BARS)
        scene(phone)
        phone.settle()
        phone.views.forEach { it.hideScrollBars() }
        phone.activity.window.decorView
            .save(name)
    }

    /** On a phone, the scroll bars fade out by themselves. */
    private fun View.hideScrollBars() {
        isVerticalScrollBarEnabled = false
        isHorizontalScrollBarEnabled = false
    }

    private fun View.save(name: String) {
        val bitmap = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
        draw(Canvas(bitmap))
        val file = File(System.getProperty("screenshots"), "$name.png")
        file.parentFile!!.mkdirs()
        bitmap.writeSmallPng(file)
        assertTrue("${file.name} has ${file.length()} bytes", file.length() in 10_000..150_000)
    }

    /** Writes half the size of `Bitmap.compress`. */
    private fun Bitmap.writeSmallPng(file: File) {
        val pixels = IntArray(width * height).also { getPixels(it, 0, width, 0, 0, width, height) }
        val image = BufferedImage(width, height, BufferedImage.TYPE_INT_RGB).also { it.setRGB(0, 0, width, height, pixels, 0, width) }
        val writer = ImageIO.getImageWritersByFormatName("png").next()
        val smallest =
            writer.defaultWriteParam.apply {
                compressionMode = ImageWriteParam.MODE_EXPLICIT
                compressionQuality = 0f
            }
        // The stream does not truncate: the rest of a longer file would remain.
        file.delete()
        ImageIO.createImageOutputStream(file).use { stream ->
            writer.output = stream
            writer.write(null, IIOImage(image, null, null), smallest)
        }
        writer.dispose()
    }

    private companion object {
        /** The status bar and the navigation bar, each 24 dp high. */
        val BARS: WindowInsets =
            WindowInsets.Builder().setInsets(WindowInsets.Type.systemBars(), Insets.of(0, 48, 0, 48)).build()
    }
}
