"""The core of Pencilled: sessions, offers and entries; it knows no calendar service by name."""
