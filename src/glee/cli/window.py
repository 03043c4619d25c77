"""A window that shows the frames of a video as they come."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


class Window:
    """Shows one picture at a time; Escape, q or its close button end it.

    Raises OSError on machines without a display, ImportError where Python lacks Tk.
    """

    def __init__(self, title: str) -> None:
        try:
            import tkinter  # noqa: PLC0415 - not part of every Python
        except ImportError as error:
            raise ImportError(
                "--show needs Tk, which this Python lacks: install python3-tk or leave --show out"
            ) from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise OSError(f"--show cannot open a window: {error}") from error
        self._root.title(title)
        self._label = tkinter.Label(self._root)
        self._label.pack()
        self.closed = False
        self._root.protocol("WM_DELETE_WINDOW", self._end)
        for key in ("<Escape>", "q"):
            self._root.bind(key, lambda _: self._end())

    def show(self, picture: "Image.Image") -> None:
        """Show a picture, and let the window answer to the user."""
        from PIL import ImageTk  # noqa: PLC0415

        if self.closed:
            return
        self._picture = ImageTk.PhotoImage(picture)  # Tk keeps no reference of its own
        self._label.configure(image=self._picture)
        self._root.update()
        if self.closed:
            self._root.destroy()

    def _end(self) -> None:
        self.closed = True
