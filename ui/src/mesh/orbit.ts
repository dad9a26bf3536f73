// Where the eye stands that looks at a mesh: round it, nearer and farther, to the side. z is up; nothing of this knows a page.

const TURN = Math.PI * 2;
/** The poles themselves are left out: there the picture would spin. */
const POLE = 0.02;

/** From the front and above, as the server's own pictures of meshes. */
const BEGIN = { round: -TURN / 4 + 0.44, up: 0.61, far: 2.6 };

export class Orbit {
  #round = BEGIN.round; // radians about z
  #up = BEGIN.up; // radians above the horizon
  #far = BEGIN.far; // radii of the mesh
  #middle: [number, number, number] = [0, 0, 0]; // what is looked at, radii

  reset(): void {
    ({ round: this.#round, up: this.#up, far: this.#far } = BEGIN);
    this.#middle = [0, 0, 0];
  }

  /** Turns the mesh under the eye, in radians to the right and down. */
  turn(right: number, down: number): void {
    this.#round = (this.#round - right) % TURN;
    const most = TURN / 4 - POLE;
    this.#up = Math.min(most, Math.max(-most, this.#up + down));
  }

  /** Goes nearer (below 1) or farther. */
  zoom(by: number): void {
    this.#far = Math.min(12, Math.max(0.15, this.#far * by));
  }

  /** Moves the mesh, in parts of what is seen, to the right and down. */
  move(right: number, down: number): void {
    const [sin, cos] = [Math.sin(this.#round), Math.cos(this.#round)];
    const tilt = Math.sin(this.#up);
    const step = this.#far * 0.75;
    const [x, y, z] = this.#middle;
    const keep = (v: number) => Math.min(1.5, Math.max(-1.5, v));
    this.#middle = [
      keep(x + step * (right * sin - down * tilt * cos)),
      keep(y + step * (-right * cos - down * tilt * sin)),
      keep(z + step * down * Math.cos(this.#up)),
    ];
  }

  /** What is looked at, of a mesh of that radius. */
  middle(radius: number): [number, number, number] {
    return this.#middle.map((v) => v * radius) as [number, number, number];
  }

  /** Where the eye is. */
  eye(radius: number): [number, number, number] {
    const [x, y, z] = this.middle(radius);
    const far = this.#far * radius;
    const flat = far * Math.cos(this.#up);
    return [x + flat * Math.cos(this.#round), y + flat * Math.sin(this.#round), z + far * Math.sin(this.#up)];
  }
}
