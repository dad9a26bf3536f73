// What is used of three.js, which comes without types.
declare module "three" {
  export class BufferAttribute {
    constructor(array: Float32Array | Uint32Array, itemSize: number);
    array: ArrayLike<number>;
    count: number;
  }
  export class BufferGeometry {
    index: BufferAttribute | null;
    attributes: Record<string, BufferAttribute | undefined>;
    setAttribute(name: string, attribute: BufferAttribute): this;
    setIndex(attribute: BufferAttribute): this;
    dispose(): void;
  }
  export class Vector3 {
    set(x: number, y: number, z: number): this;
  }
  export class Object3D {
    children: Object3D[];
    geometry?: BufferGeometry;
    position: Vector3;
    up: Vector3;
    add(...objects: Object3D[]): this;
    lookAt(x: number, y: number, z: number): void;
  }
  export class Scene extends Object3D {}
  export class PerspectiveCamera extends Object3D {
    constructor(fov: number, aspect: number, near: number, far: number);
    aspect: number;
    near: number;
    far: number;
    updateProjectionMatrix(): void;
  }
  export class MeshStandardMaterial {
    constructor(options: {
      color: number;
      roughness: number;
      metalness: number;
      side: number;
      flatShading: boolean;
      vertexColors: boolean;
    });
    wireframe: boolean;
    dispose(): void;
  }
  export class Mesh extends Object3D {
    constructor(geometry: BufferGeometry, material: MeshStandardMaterial);
  }
  export class HemisphereLight extends Object3D {
    constructor(sky: number, ground: number, intensity: number);
  }
  export class DirectionalLight extends Object3D {
    constructor(color: number, intensity: number);
  }
  export class WebGLRenderer {
    constructor(options: { canvas: HTMLCanvasElement; antialias: boolean; alpha: boolean });
    setPixelRatio(ratio: number): void;
    setSize(width: number, height: number, style: boolean): void;
    render(scene: Scene, camera: PerspectiveCamera): void;
    dispose(): void;
    forceContextLoss(): void;
  }
  export const DoubleSide: number;
}

declare module "three/addons/loaders/STLLoader.js" {
  export class STLLoader {
    parse(data: ArrayBuffer): import("three").BufferGeometry;
  }
}

declare module "three/addons/loaders/PLYLoader.js" {
  export class PLYLoader {
    parse(data: ArrayBuffer): import("three").BufferGeometry;
  }
}

declare module "three/addons/loaders/OBJLoader.js" {
  export class OBJLoader {
    parse(text: string): import("three").Object3D;
  }
}
