"""Pictures of curves whose points say what they are, on pointing at them and with the arrow keys."""

from collections.abc import Sequence

import anywidget
import traitlets

from utils.plots import Picture
from utils.runs import hover
from utils.runs.curves import Run


class HoverPictures(anywidget.AnyWidget):
    """Pictures made by `runs.curves`; a page without Jupyter shows them as they are."""

    _esm = """
    const NEAR = 40 // pixels
    export default {
      render({ model, el }) {
        const [page, tip, ring] = ["pictures", "tip", "ring"].map((name) => {
          const part = document.createElement("div")
          part.className = name
          el.append(part)
          return part
        })
        el.classList.add("hover-pictures")
        tip.setAttribute("role", "status")
        let curves, at // the curves of all pictures; the number of a curve and of its point
        const boxOf = (curve) => page.querySelectorAll("img")[curve.picture].getBoundingClientRect()
        const place = (curve, index, box) =>
          [box.left + curve.left[index] * box.width, box.top + curve.top[index] * box.height]
        const show = (next) => {
          at = next
          tip.hidden = ring.hidden = !at
          if (!at) return
          const curve = curves[at[0]], index = at[1], around = el.getBoundingClientRect()
          const [x, y] = place(curve, index, boxOf(curve))
          const value = `${curve.what}: ${Number(curve.value[index].toPrecision(5))}`
          const step = curve.step[index] === null ? "" : `\\nstep ${curve.step[index].toLocaleString("en")}`
          tip.textContent = `${curve.name}${step}\\n${value}`
          ring.style.left = `${x - around.left}px`
          ring.style.top = `${y - around.top}px`
          tip.style.left = `${Math.max(0, Math.min(x - around.left + 14, around.width - tip.offsetWidth))}px`
          tip.style.top = `${y - around.top + 14}px`
        }
        const draw = () => {
          page.innerHTML = model.get("value")
          curves = model.get("points").flatMap((some, picture) => some.map((curve) => ({ ...curve, picture })))
          curves = curves.filter((curve) => curve.left.length)
          page.tabIndex = curves.length ? 0 : -1
          show(null)
        }
        page.setAttribute("role", "group")
        page.setAttribute("aria-label", "Curves. Left and right: the points of a curve; up and down: other curves.")
        page.onpointermove = (event) => {
          let nearest = NEAR ** 2, found = null
          curves.forEach((curve, number) => {
            const box = boxOf(curve)
            curve.left.forEach((_, index) => {
              const [x, y] = place(curve, index, box)
              const distance = (x - event.clientX) ** 2 + (y - event.clientY) ** 2
              if (distance < nearest) [nearest, found] = [distance, [number, index]]
            })
          })
          show(found)
        }
        page.onpointerleave = page.onblur = () => show(null)
        page.onkeydown = (event) => {
          const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }
          if (event.key === "Escape") show(null)
          if (!moves[event.key] || !curves.length) return
          event.preventDefault()
          event.stopPropagation()
          const [other, next] = moves[event.key], [number, index] = at ?? [0, -next]
          const chosen = (number + other + curves.length) % curves.length
          show([chosen, Math.max(0, Math.min(index + next, curves[chosen].left.length - 1))])
        }
        model.on("change:value", draw)
        draw()
      },
    }
    """
    _css = """
    .hover-pictures { position: relative; }
    .hover-pictures .tip {
      position: absolute; z-index: 2; pointer-events: none; white-space: pre; padding: 4px 8px; border-radius: 3px;
      font-size: var(--jp-ui-font-size1, 13px); line-height: 1.4; color: var(--jp-ui-font-color1, #222);
      background: var(--jp-layout-color1, white); border: 1px solid var(--jp-border-color1, #888);
    }
    .hover-pictures .ring {
      position: absolute; width: 10px; height: 10px; margin: -7px 0 0 -7px; border-radius: 50%; pointer-events: none;
      border: 2px solid var(--jp-ui-font-color1, #222); box-sizing: content-box;
    }
    .hover-pictures [hidden] { display: none; }
    """
    value = traitlets.Unicode().tag(sync=True)
    points = traitlets.List().tag(sync=True)

    def show(self, pictures: Sequence[Picture], runs: Sequence[Run], x: str = "step", smoothing: float = 0.0) -> None:
        """Show pictures that were made with these arguments."""
        html = "".join(picture._repr_html_() for picture in pictures)  # drawn, so that points have their places
        with self.hold_sync():
            self.points = [hover.points(picture, runs, x, smoothing) for picture in pictures]
            self.value = html
