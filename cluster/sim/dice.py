"""Chance from named, seeded dice.

Each die is one 64-bit integer stepped by SplitMix64 (Steele, Lea, Flood 2014): tiny, plain data, the same on every
machine. A die belongs to one actor or one link, so adding an actor never changes the throws of another.
"""

from hashlib import blake2b

from msgspec import Struct

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15


class Dice(Struct):
    """One die. ``state`` is its whole memory."""

    state: int

    @staticmethod
    def named(seed: int, name: str) -> "Dice":
        """The die ``name`` of the world with ``seed``; unrelated to every other name's."""
        return Dice(int.from_bytes(blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "little"))

    def bits(self) -> int:
        """64 fair bits."""
        self.state = (self.state + _STEP) & _MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, n: int) -> int:
        """An integer in [0, n). The bias of the modulus is below 2^-40 for every n used here."""
        return self.bits() % n

    def between(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return low if high <= low else low + self.bits() % (high - low + 1)

    def chance(self, probability: float) -> bool:
        """True with ``probability`` (0 to 1)."""
        return probability > 0 and self.bits() < probability * 18446744073709551616.0

    def uuid(self) -> str:
        """An RFC 4122 version 4 UUID, as Kubernetes gives to ``metadata.uid``: two throws (written out: each request has one)."""
        high = (self.state + _STEP) & _MASK
        low = self.state = (high + _STEP) & _MASK
        high = ((high ^ (high >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        high = ((high ^ (high >> 27)) * 0x94D049BB133111EB) & _MASK
        high = (high ^ (high >> 31)) & ~0xF000 | 0x4000
        low = ((low ^ (low >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        low = ((low ^ (low >> 27)) * 0x94D049BB133111EB) & _MASK
        low = (low ^ (low >> 31)) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        text = f"{high:016x}{low:016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def suffix(self, length: int = 5, alphabet: str = "bcdfghjklmnpqrstvwxz2456789") -> str:
        """``length`` characters of Kubernetes' safe alphabet (apimachinery ``util/rand.String``)."""
        n = len(alphabet)
        return "".join(alphabet[self.bits() % n] for _ in range(length))
