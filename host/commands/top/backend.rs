//! The cells of a frame as sequences for the screen, each frame written at once.

use std::cell::RefCell;
use std::io;
use std::io::Write;
use std::rc::Rc;

use ratatui_core::backend::Backend;
use ratatui_core::backend::ClearType;
use ratatui_core::backend::WindowSize;
use ratatui_core::buffer::Cell;
use ratatui_core::layout::Position;
use ratatui_core::layout::Size;
use ratatui_crossterm::CrosstermBackend;

use crate::system::stdio::Screen;

/// The sequences of a frame that is not written yet.
#[derive(Debug, Clone, Default)]
struct Frame(Rc<RefCell<Vec<u8>>>);

impl Write for Frame {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    /// Does nothing: the backend writes the whole frame.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Draws on the screen.
pub struct ScreenBackend {
    screen: Rc<RefCell<Screen>>,
    sequences: CrosstermBackend<Frame>,
    frame: Frame,
}

impl ScreenBackend {
    /// Draws on this screen, which must have been entered.
    pub fn new(screen: Rc<RefCell<Screen>>) -> ScreenBackend {
        let frame = Frame::default();
        ScreenBackend {
            screen,
            sequences: CrosstermBackend::new(frame.clone()),
            frame,
        }
    }
}

impl Backend for ScreenBackend {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        self.sequences.draw(content)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.sequences.hide_cursor()
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.sequences.show_cursor()
    }

    /// The terminal is not asked: its answer would be among the keys.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.sequences.set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.sequences.clear()
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.sequences.clear_region(region)
    }

    fn size(&self) -> io::Result<Size> {
        let (width, height) = self.screen.borrow().size();
        Ok(Size { width, height })
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize {
            columns_rows: self.size()?,
            pixels: Size::ZERO,
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        let sequences = std::mem::take(&mut *self.frame.0.borrow_mut());
        match sequences.is_empty() {
            true => Ok(()),
            false => self.screen.borrow_mut().write(&sequences),
        }
    }
}
