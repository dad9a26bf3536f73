// Draws a surface with three.js, lit from three sides; only when something has changed.
import {
  BufferAttribute,
  BufferGeometry,
  DirectionalLight,
  DoubleSide,
  HemisphereLight,
  Mesh,
  MeshStandardMaterial,
  PerspectiveCamera,
  Scene,
  WebGLRenderer,
} from "three";
import type { Orbit } from "./orbit.js";
import type { Surface } from "./surface.js";

const PLASTER = 0xece4d4;

export class Stage {
  #renderer: WebGLRenderer;
  #scene = new Scene();
  #camera = new PerspectiveCamera(36, 1, 0.1, 1000);
  #lamps: DirectionalLight[] = [];
  #geometry = new BufferGeometry();
  #material: MeshStandardMaterial;
  #radius: number;
  #due = 0;

  /** Throws when the browser has no WebGL. */
  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly orbit: Orbit,
    s: Surface,
  ) {
    this.#renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.#renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.#geometry.setAttribute("position", new BufferAttribute(s.positions, 3));
    if (s.index) this.#geometry.setIndex(new BufferAttribute(s.index, 1));
    if (s.colours) this.#geometry.setAttribute("color", new BufferAttribute(s.colours, 3));
    this.#material = new MeshStandardMaterial({
      color: s.colours ? 0xffffff : PLASTER,
      roughness: 0.62,
      metalness: 0,
      side: DoubleSide,
      flatShading: true, // by the triangles themselves: normals in files are often wrong
      vertexColors: s.colours !== undefined,
    });
    this.#radius = Math.max(Math.hypot(...s.extent) / 2, 1e-6);
    this.#camera.near = this.#radius / 100;
    this.#camera.far = this.#radius * 60;
    this.#camera.up.set(0, 0, 1);
    this.#lamps = [new DirectionalLight(0xffffff, 2.1), new DirectionalLight(0xdfe9ff, 0.9)];
    this.#scene.add(
      new Mesh(this.#geometry, this.#material),
      new HemisphereLight(0xffffff, 0x58616b, 1.1),
      ...this.#lamps,
    );
  }

  set wires(shown: boolean) {
    this.#material.wireframe = shown;
    this.draw();
  }

  /** Draws at the next frame of the screen. */
  draw(): void {
    this.#due ||= requestAnimationFrame(() => {
      this.#due = 0;
      const { clientWidth: width, clientHeight: height } = this.canvas;
      if (width === 0 || height === 0) return;
      this.#renderer.setSize(width, height, false);
      this.#camera.aspect = width / height;
      const seen = this.#radius / Math.min(1, width / height); // the whole of it on a narrow screen, too
      const eye = this.orbit.eye(seen);
      const middle = this.orbit.middle(seen);
      this.#camera.position.set(...eye);
      this.#camera.lookAt(...middle);
      this.#camera.updateProjectionMatrix();
      const [x, y, z] = [eye[0] - middle[0], eye[1] - middle[1], eye[2] - middle[2]];
      this.#lamps[0]!.position.set(x - y * 0.6, y + x * 0.6, z + Math.hypot(x, y, z) * 0.5); // over the left shoulder
      this.#lamps[1]!.position.set(x + y * 0.9, y - x * 0.9, z);
      this.#renderer.render(this.#scene, this.#camera);
      this.canvas.dataset.drawn = "true";
    });
  }

  end(): void {
    cancelAnimationFrame(this.#due);
    this.#geometry.dispose();
    this.#material.dispose();
    this.#renderer.dispose();
    this.#renderer.forceContextLoss();
  }
}
