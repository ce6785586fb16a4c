"""How a world is sampled from a seed."""

from math import pi

import numpy as np

from ditta_adapt.demo._drawing import NOISE_SIZE
from ditta_adapt.demo._world import (
    PERIOD,
    Building,
    CameraPath,
    Gain,
    Light,
    Panel,
    Plant,
    Vehicle,
    Walker,
    World,
)

_WALLS = (
    (0.75, 0.45, 0.36),
    (0.9, 0.8, 0.62),
    (0.72, 0.72, 0.72),
    (1.0, 0.98, 0.94),
    (0.6, 0.48, 0.38),
    (0.66, 0.72, 0.8),
    (0.92, 0.7, 0.5),
)
_PAINTS = (
    (1.1, 1.1, 1.1),
    (0.13, 0.13, 0.15),
    (0.55, 0.57, 0.6),
    (0.85, 0.12, 0.1),
    (0.12, 0.25, 0.65),
    (0.9, 0.75, 0.15),
    (0.15, 0.42, 0.3),
    (0.75, 0.4, 0.15),
)


class _Sampler:
    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng([seed, 0x5CE7E])

    def real(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def whole(self, stop: int) -> int:
        return int(self.rng.integers(stop))

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def tint(self, base: Gain, spread: float) -> Gain:
        level = self.real(1 - spread, 1 + spread)
        r, g, b = (v * level * self.real(1 - spread / 2, 1 + spread / 2) for v in base)
        return (r, g, b)

    def camera(self, lane: float) -> CameraPath:
        moving = self.chance(0.65)
        return CameraPath(
            x=lane,
            height=self.real(1.35, 2.4),
            z=self.real(0, PERIOD),
            speed=self.real(0.08, 0.35) if moving else 0.0,
            focal=self.real(0.75, 1.15),
            horizon=self.real(0.4, 0.54),
            pan=self.real(0.01, 0.04) if moving else self.real(0.05, 0.2),
            pan_rate=self.real(0.01, 0.04),
            zoom=0.0 if self.chance(0.6) else self.real(0.03, 0.12),
            zoom_rate=self.real(0.01, 0.04),
            bob=self.real(0.0, 0.003) if moving else 0.0,
            sway=0.15,
            phase=self.real(0, 2 * pi),
        )

    def light(self) -> Light:
        overcast = self.chance(0.35)
        warm = self.real(-0.1, 0.14)
        level = self.real(0.78, 1.08)
        haze = self.real(0.68, 0.9)
        sky = self.tint((0.72, 0.74, 0.78) if overcast else (0.36, 0.55, 0.86), 0.12)
        return Light(
            sun=0.0 if overcast else self.real(-1.3, 1.3),
            shade=self.real(0.45, 0.65),
            tint=(level * (1 + warm), level, level * (1 - warm)),
            zenith=sky,
            haze=(haze * (1 + warm / 2), haze, haze * (1 - warm / 3)),
            haze_length=self.real(110, 400),
            clouds=self.real(0.0, 0.6),
            cloud_shift=self.whole(NOISE_SIZE),
        )

    def blocks(
        self, side: int, crossings: tuple[tuple[float, float], ...]
    ) -> tuple[list[Building], list[tuple[float, float]]]:
        """Buildings along one side, and the stretches of yard that crossings leave whole."""
        spans, start = [], 0.0
        for low, high in crossings:
            spans.append((start, low))
            start = high
        spans.append((start, PERIOD))
        density = self.real(0.45, 1.0)
        found: list[Building] = []
        for low, high in spans:
            z = low + self.real(0, 2)
            while z + 9 < high:
                end = min(z + self.real(10, 26), high)
                if self.chance(density):
                    height = self.real(5, 20)
                    floors = int(np.clip(round(height / 3.2), 2, 6))
                    gain = self.tint(_WALLS[self.whole(len(_WALLS))], 0.15)
                    found.append(
                        Building(side, z, end, height, (floors - 2) * 4 + self.whole(4), gain)
                    )
                z = end + (0.0 if self.chance(0.5) else self.real(2, 10))
        return found, spans

    def panels(self, side: int, spans: list[tuple[float, float]]) -> list[Panel]:
        found: list[Panel] = []
        for low, high in spans:
            z = low + self.real(0, 8)
            while z < high:
                length, height, style = self.real(8, 40), self.real(0.9, 1.9), self.whole(6)
                gain = self.tint((1.0, 0.95, 0.9), 0.25)
                while length > 0 and z + 4 < high:
                    found.append(Panel(side, z, z + 4, height, style, gain))
                    z, length = z + 4, length - 4
                z += self.real(4, 30)
        return found

    def plant(self, tree: bool, x: float, z: float) -> Plant:
        gain = self.tint((1.0, 0.95, 0.85), 0.25)
        if tree:
            height = self.real(4, 9)
            return Plant(True, self.whole(12), x, z, height * self.real(0.6, 0.85), height, gain)
        height = self.real(0.8, 2.2)
        return Plant(False, self.whole(6), x, z, height * self.real(1.2, 1.8), height, gain)

    def vehicle(self, x: float, z: float, speed: float, heading: int, **more: float) -> Vehicle:
        truck = self.chance(0.25)
        paint = _PAINTS[self.whole(len(_PAINTS))]
        if truck:
            paint = (0.4 + 0.6 * paint[0], 0.4 + 0.6 * paint[1], 0.4 + 0.6 * paint[2])
        return Vehicle(
            truck=truck,
            art=self.whole(5 if truck else 8),
            across=bool(more.get("across", 0)),
            x=x,
            z=z,
            speed=speed,
            heading=heading,
            sway=more.get("sway", 0.0),
            phase=self.real(0, 2 * pi),
            gain=self.tint(paint, 0.12),
        )

    def traffic(
        self,
        camera: CameraPath,
        lanes: tuple[float, ...],
        road: float,
        crossings: tuple[tuple[float, float], ...],
    ) -> list[Vehicle]:
        found: list[Vehicle] = []
        for lane in lanes:
            forward = lane * camera.x > 0
            if abs(lane - camera.x) < 1:
                # The ego lane keeps its distance, so that nothing is driven through.
                if camera.speed > 0 and self.chance(0.7):
                    ahead = camera.z + self.real(9, 35)
                    found.append(self.vehicle(lane, ahead, camera.speed, 1, sway=self.real(0, 3)))
                continue
            speed = camera.speed * self.real(0.7, 1.5) + self.real(0.05, 0.2)
            z = self.real(0, 30)
            while z < PERIOD - 14:
                heading = 1 if forward else -1
                found.append(self.vehicle(lane, z, heading * speed, heading))
                z += self.real(14, 60)
        for side in (-1, 1):
            z, parked = self.real(0, 20), self.chance(0.6)
            while parked and z < PERIOD - 14:
                if all(z + 9 < low or z > high + 2 for low, high in crossings):
                    found.append(self.vehicle(side * (road - 1.1), z, 0.0, self.whole(2) * 2 - 1))
                z += self.real(9, 40)
        for low, high in crossings:
            for share, heading in ((0.3, 1), (0.65, -1)):
                if not self.chance(0.7):
                    continue
                z = low + share * (high - low)
                # From a moving camera the cross traffic waits, for it could be driven through.
                x = self.real(-40, 40) if camera.speed == 0 else -heading * (road + 4.5)
                speed = heading * self.real(0.15, 0.5) if camera.speed == 0 else 0.0
                found.append(self.vehicle(x, z, speed, heading, across=1))
        return found

    def walkers(self, road: float, sidewalk: float, camera: CameraPath) -> list[Walker]:
        found = []
        for _ in range(int(self.rng.integers(30, 80))):
            side = 1 if self.chance(0.5) else -1
            x = side * self.real(road + 0.5, sidewalk - 0.4)
            crossing = self.chance(0.25)
            if camera.speed > 0:
                reach = abs(x) - (abs(camera.x) + 2.6) if side * camera.x > 0 else abs(x) - 0.8
            else:
                reach = self.real(2, 2 * road)
            found.append(
                Walker(
                    art=self.whole(20),
                    x=x,
                    z=self.real(0, PERIOD),
                    speed=self.real(0.04, 0.12) * (1 if self.chance(0.5) else -1),
                    x_reach=max(reach, 0.5) if crossing else 0.0,
                    phase=self.real(0, 2),
                    height=self.real(1.5, 1.95),
                    gain=self.tint((1.0, 1.0, 1.0), 0.2),
                )
            )
        return found


def sample_world(seed: int) -> World:
    """The world of one non-negative seed; equal seeds give equal worlds."""
    s = _Sampler(seed)
    wide = s.chance(0.35)
    road = s.real(7.5, 9.0) if wide else s.real(4.8, 6.2)
    sidewalk = road + s.real(2.2, 4.5)
    facade = (sidewalk + s.real(0.8, 7), sidewalk + s.real(0.8, 7))
    lanes = (-5.0, -1.75, 1.75, 5.0) if wide else (-1.75, 1.75)
    first = s.real(20, 80)
    crossings = tuple((z, z + s.real(9, 13)) for z in (first, first + s.real(70, 120)))
    camera = s.camera(1.75 if s.chance(0.7) else -1.75)
    buildings: list[Building] = []
    panels: list[Panel] = []
    plants: list[Plant] = []
    for index, side in enumerate((-1, 1)):
        found, spans = s.blocks(side, crossings)
        buildings += found
        if s.chance(0.65):
            panels += s.panels(side, spans)
        street_trees = s.chance(0.5)
        for low, high in spans:
            z = low + s.real(1, 8)
            while street_trees and z < high - 2:
                plants.append(s.plant(True, side * (road + 0.7), z))
                z += s.real(8, 22)
            yard = facade[index] - sidewalk
            for _ in range(int((high - low) / 7)):
                x = sidewalk + s.real(0.3, 0.9) * yard
                plants.append(s.plant(s.chance(0.4), side * x, s.real(low + 2, high - 6)))
    waves = np.linspace(0, 2 * pi, 256, endpoint=False)
    profile = np.zeros(256)
    for k in (2, 3, 5, 9, 17, 40):
        profile += s.real(0.2, 1) * np.sin(k * waves + s.real(0, 6)) / k
    blocky = s.chance(0.5)
    if blocky:
        profile = np.repeat(profile[::8], 8)
    heights = s.real(0.03, 0.07) * (1 + 0.5 * profile / np.abs(profile).max())
    return World(
        camera=camera,
        light=s.light(),
        road=road,
        sidewalk=sidewalk,
        facade=facade,
        crossings=crossings,
        lanes=lanes,
        ground_gains=(
            s.tint((0.36, 0.36, 0.38), 0.2),
            s.tint((0.62, 0.6, 0.57), 0.15),
            s.tint((0.38, 0.5, 0.24), 0.2),
        ),
        paved_yard=(s.chance(0.3), s.chance(0.3)),
        backdrop=tuple(float(h) for h in heights),
        backdrop_class="building" if blocky else "vegetation",
        buildings=tuple(buildings),
        panels=tuple(panels),
        plants=tuple(plants),
        vehicles=tuple(s.traffic(camera, lanes, road, crossings)),
        walkers=tuple(s.walkers(road, sidewalk, camera)),
    )
