/**
 * The machine's memory: 2^32 bytes as a sparse tree of 27 levels (docs/formats.md, "Trees").
 *
 * Reads and writes go through a small direct-mapped table of recent pages and otherwise walk the tree.
 * Hashes are kept in the nodes and dropped along the way of a first write, so a root after k changed
 * pages costs k pages and their ways up. A clone shares all nodes; both sides copy what they write.
 * What a program may access is not decided here but in step.ts.
 */

import { Content, ContentCache, contentOf } from "./content.ts";
import {
  contentKey,
  type ContentStore,
  type KeepingStore,
  keepsAll,
  PART_HEIGHT,
} from "./content_store.ts";

import { prepare, type PreparedInstruction } from "./instructions.ts";
import {
  flatten,
  Graft,
  halves,
  heldBytes,
  Inner,
  keepNode,
  type MemoryNode,
  nodeHash,
  type Owner,
  Page,
  PAGE_HEIGHT,
  pagePath,
  spillNode,
} from "./memory_node.ts";

/** Height of the tree over all of memory. */
export const MEMORY_HEIGHT = 27;

/** The regions of memory; each is one node of the tree: base address and height of its subtree. */
export const REGIONS = {
  program: { base: 0x0000_0000, height: 19 },
  input: { base: 0x1000_0000, height: 5 },
  key: { base: 0x1100_0000, height: 0 },
  output: { base: 0x2000_0000, height: 19 },
  stack: { base: 0x3000_0000, height: 23 },
  value: { base: 0x4000_0000, height: 25 },
  model: { base: 0x8000_0000, height: 26 },
} as const;

/** Name of a region. */
export type RegionName = keyof typeof REGIONS;

/** First address that holds data: code below it never changes while a program runs. */
export const CODE_END = 0x0100_0000;

type CodePage = (PreparedInstruction | null | undefined)[] | undefined;

const SLOTS = 256;
const PAGE_WORDS = 1024;
/** Counted for a graft and the nodes above it. */
const REPLACED_BYTES = 1024;
const noWords = new Int32Array(PAGE_WORDS);
/** Of a memory that remembers no page: never written to. */
const noTags = new Int32Array(SLOTS).fill(-1);
const noPages: Int32Array[] = [];
const noCode: CodePage[] = [];

/** Memory as the instructions see it; addresses are u32 or the same bits as i32. */
export interface MachineMemory {
  /** The decoded word at `pc`, or null where it is no instruction. */
  instruction(pc: number): PreparedInstruction | null;
  /** The word at an address whose low two bits are ignored, as i32. */
  load32(address: number): number;
  store32(address: number, value: number): void;
  /** The 32 bytes of the leaf that holds an address. */
  leaf(address: number): Uint8Array;
  storeLeaf(address: number, leaf: Uint8Array): void;
  /** Puts the committed subtree with that root at an aligned address. */
  graft(address: number, height: number, root: Uint8Array): void;
  /** Zeroes the subtree at an aligned address and returns the root it had. */
  save(address: number, height: number): Uint8Array;
}

/** Index of an address's page in the subtree of a height that holds it. */
const pageIn = (address: number, height: number): number =>
  (address >>> 12) & (2 ** (height - PAGE_HEIGHT) - 1);

/** Versions given out so far, of all memories. */
let versions = 0;

/** Sparse memory with lazy grafts; see the head of this file. */
export class Memory implements MachineMemory {
  #tree: MemoryNode = null;
  #owner: Owner = {};
  #version = ++versions;
  #readTags = noTags;
  #readWords = noPages;
  #writeTags = noTags;
  #writeWords = noPages;
  /** Decoded code pages; holes are filled when executed. */
  #code: CodePage[] = noCode;
  /** What was saved and the store does not keep, by key: shared with clones, since a key names its content. */
  #saved = new Map<string, MemoryNode>();
  #contents: ContentCache;
  /** Bytes of pages that may be written before they are given to the store. */
  #pageLimit = Infinity;
  /** Bytes of pages of its own that were made since they were given to the store. */
  #written = 0;

  /**
   * Memory of zeros. `contentLimit`: bytes of opened contents held at a time, by it and its clones together,
   * 1 GiB unless given; what is beyond it is fetched from the store, and verified, again.
   */
  constructor(
    store?: ContentStore,
    { contentLimit }: { contentLimit?: number } = {},
  ) {
    this.#contents = new ContentCache(store, contentLimit);
  }

  get store(): ContentStore | undefined {
    return this.#contents.store;
  }

  /**
   * Bounds what is held from now on: opened contents, by it and its clones together, and pages that it wrote, each
   * in bytes. `store` takes the place of the present one, whose contents it must have too, and keeps what is written
   * beyond the bound and all that is saved.
   */
  bound(
    { store, contentLimit, pageLimit }: {
      store: KeepingStore;
      contentLimit: number;
      pageLimit: number;
    },
  ): void {
    this.#contents.bound(store, contentLimit);
    for (const [key, node] of this.#saved) {
      keepNode(node, Number(key.slice(key.indexOf("/") + 1)), store);
    }
    this.#saved.clear();
    this.#pageLimit = pageLimit;
    this.#spill();
  }

  /** Bytes held now: opened contents, the pages and nodes that differ from them, and what was saved. */
  get heldBytes(): number {
    return Memory.heldBytes([this]);
  }

  /** The same of several memories together, what they share counted once. */
  static heldBytes(memories: readonly Memory[]): number {
    const caches = new Set(memories.map((memory) => memory.#contents));
    const saved = new Set(memories.map((memory) => memory.#saved));
    let held = heldBytes([
      ...memories.map((memory) => memory.#tree),
      ...[...saved].flatMap((nodes) => [...nodes.values()]),
    ]);
    for (const cache of caches) held += cache.heldBytes;
    return held;
  }

  /** Bytes of the pages and nodes in which several memories differ from contents, what they share counted once. */
  static heldPages(memories: readonly Memory[]): number {
    return heldBytes(memories.map((memory) => memory.#tree));
  }

  /** An independent copy; costs no copying of pages. */
  clone(): Memory {
    const copy = new Memory();
    copy.#tree = this.#tree;
    copy.#version = this.#version;
    copy.#code = this.decodedCode;
    copy.#saved = this.#saved;
    copy.#contents = this.#contents;
    copy.#pageLimit = this.#pageLimit;
    copy.#written = this.#written;
    this.#owner = {};
    this.#forgetWritable();
    return copy;
  }

  /** A number that no other contents have, of this memory or another: clones share it until one is written. */
  version(): number {
    // The next write takes the slow way, which changes the number.
    this.#forgetWritable();
    return this.#version;
  }

  /** Root of all of memory, 32 bytes. */
  root(): Uint8Array {
    this.#forgetWritable();
    return nodeHash(this.#tree, MEMORY_HEIGHT);
  }

  /** Root of the subtree of that height at an aligned address. */
  subtreeRoot(address: number, height: number): Uint8Array {
    this.#forgetWritable();
    return nodeHash(this.#subtree(address, height), height);
  }

  /** Root of a region's subtree. */
  fieldRoot(name: RegionName): Uint8Array {
    return this.subtreeRoot(REGIONS[name].base, REGIONS[name].height);
  }

  /** Siblings from `level` up to the root, bottom-up, of the subtree at an address. */
  path(address: number, level = 0): Uint8Array[] {
    this.#forgetWritable();
    const siblings: Uint8Array[] = [];
    let node = this.#tree;
    let height = MEMORY_HEIGHT;
    for (; height > level; height--) {
      if (node instanceof Page) break;
      const [left, right] = halves(node);
      const side = (address >>> (height + 4)) & 1;
      siblings.push(nodeHash(side === 1 ? left : right, height - 1));
      node = side === 1 ? right : left;
    }
    siblings.reverse();
    if (height === level || !(node instanceof Page)) return siblings;
    const index = ((address >>> 5) & (2 ** height - 1)) >>> level;
    return [...pagePath(node, height, index, level), ...siblings];
  }

  instruction(pc: number): PreparedInstruction | null {
    const page = this.#code[pc >>> 12];
    if (page !== undefined) {
      const known = page[(pc >>> 2) & 1023];
      if (known !== undefined) return known;
    }
    return this.#prepareSlowly(pc);
  }

  /** Stands for the code that was decoded so far: the same object while no code changes, also in clones. */
  get decodedCode(): CodePage[] {
    if (this.#code === noCode) this.#code = [];
    return this.#code;
  }

  #prepareSlowly(pc: number): PreparedInstruction | null {
    const page = this.decodedCode[pc >>> 12] ??= new Array(PAGE_WORDS);
    return page[(pc >>> 2) & 1023] = prepare(this.load32(pc));
  }

  load32(address: number): number {
    const page = address >>> 12;
    const slot = page & (SLOTS - 1);
    return this.#readTags[slot] === page
      ? this.#readWords[slot][(address >>> 2) & 1023]
      : this.#load32Slowly(address);
  }

  store32(address: number, value: number): void {
    const page = address >>> 12;
    const slot = page & (SLOTS - 1);
    if (this.#writeTags[slot] === page) {
      this.#writeWords[slot][(address >>> 2) & 1023] = value;
    } else {
      this.#store32Slowly(address, value);
    }
  }

  /**
   * The 1024 words of the page that holds an address, not to be written to; null while a graft inside
   * the page, other than the one at the address, is unopened.
   */
  page(address: number): Int32Array | null {
    const slot = (address >>> 12) & (SLOTS - 1);
    if (this.#readTags[slot] === address >>> 12) return this.#readWords[slot];
    let node = this.#tree;
    let height = MEMORY_HEIGHT;
    for (; node instanceof Inner && height > PAGE_HEIGHT; height--) {
      node = (address >>> (height + 4)) & 1 ? node.right : node.left;
    }
    if (node === null) return noWords;
    if (node instanceof Page) return node.words;
    if (node instanceof Graft) {
      return node.page(pageIn(address, height)) ?? noWords;
    }
    this.load32(address);
    return this.#readTags[slot] === address >>> 12
      ? this.#readWords[slot]
      : null;
  }

  /**
   * What `page` returns once every graft inside the page is open, so that it is never null; opens them.
   *
   * @throws ChainLearnError where the content of one is missing.
   */
  openPage(address: number): Int32Array | null {
    const words = this.page(address);
    if (words !== null) return words;
    const open = (node: MemoryNode): MemoryNode => {
      if (node instanceof Graft) return node.open(null);
      if (node instanceof Inner) {
        node.left = open(node.left);
        node.right = open(node.right);
      }
      return node;
    };
    open(this.#subtree(address, PAGE_HEIGHT));
    return this.page(address);
  }

  /**
   * Opens what lies above the part of a page, which `storePage` may then replace whatever the store has lost by then.
   *
   * @throws ChainLearnError where the content of a part is missing.
   */
  openWay(address: number): void {
    if (this.#written >= this.#pageLimit) this.#spill();
    let node = this.#tree;
    if (node instanceof Graft) node = this.#tree = node.open(null);
    for (let at = MEMORY_HEIGHT; at > PART_HEIGHT + 1; at--) {
      if (!(node instanceof Inner)) return;
      const side = (address >>> (at + 4)) & 1 ? "right" : "left";
      const child: MemoryNode = node[side];
      // In place, also for clones: no hash changes.
      node = child instanceof Graft ? node[side] = child.open(null) : child;
    }
  }

  /** Replaces all words of a page without unopened grafts, to which the way is open. */
  storePage(address: number, words: Int32Array): void {
    this.#codeChanged(address);
    const stored = (node: MemoryNode, height: number): MemoryNode => {
      if (height === PAGE_HEIGHT) {
        const isOwn = node instanceof Page && node.owner === this.#owner;
        if (!isOwn) this.#written += words.byteLength;
        return new Page(words.slice(), this.#owner);
      }
      const inner = node instanceof Inner && node.owner === this.#owner
        ? node
        : new Inner(...halves(node), this.#owner);
      inner.hash = null;
      if ((address >>> (height + 4)) & 1) {
        inner.right = stored(inner.right, height - 1);
      } else inner.left = stored(inner.left, height - 1);
      return inner;
    };
    this.#tree = stored(this.#tree, MEMORY_HEIGHT);
    this.#version = ++versions;
    // What was remembered of the page are other words.
    const page = address >>> 12;
    const slot = page & (SLOTS - 1);
    if (this.#readTags[slot] === page) this.#readTags[slot] = -1;
    if (this.#writeTags[slot] === page) this.#writeTags[slot] = -1;
  }

  leaf(address: number): Uint8Array {
    const words = new Int32Array(8);
    for (let i = 0; i < 8; i++) words[i] = this.load32((address & ~31) + 4 * i);
    return new Uint8Array(words.buffer);
  }

  storeLeaf(address: number, leaf: Uint8Array): void {
    const words = new Int32Array(leaf.slice().buffer);
    words.forEach((word, i) => this.store32((address & ~31) + 4 * i, word));
  }

  graft(address: number, height: number, root: Uint8Array): void {
    this.#replace(address, height, this.#committed(height, root));
  }

  /** Puts bytes, zero-padded to the height, at an aligned address; they are not copied and not hashed yet. */
  graftBytes(address: number, height: number, bytes: Uint8Array): void {
    const content = new Content(height, null, bytes);
    this.#replace(address, height, new Graft(content, height, 0));
  }

  save(address: number, height: number): Uint8Array {
    const node = this.#subtree(address, height);
    const root = nodeHash(node, height);
    this.#keep(node, height, root);
    this.#replace(address, height, null);
    return root;
  }

  /** Puts a saved subtree where a later graft finds it. */
  #keep(node: MemoryNode, height: number, root: Uint8Array): void {
    if (keepsAll(this.store)) return keepNode(node, height, this.store);
    this.#saved.set(contentKey(root, height), node);
    this.#owner = {};
  }

  #committed(height: number, root: Uint8Array): MemoryNode {
    const saved = this.#saved.get(contentKey(root, height));
    if (saved !== undefined) return saved;
    const content = contentOf(root, height, this.#contents);
    if (content === null) return null;
    return height === 0
      ? new Page(new Int32Array(root.slice().buffer), null)
      : new Graft(content, height, 0);
  }

  #subtree(address: number, height: number): MemoryNode {
    let node = this.#tree;
    for (let at = MEMORY_HEIGHT; at > height && node !== null; at--) {
      node = halves(node)[(address >>> (at + 4)) & 1];
    }
    return node;
  }

  #replace(address: number, height: number, subtree: MemoryNode): void {
    this.#written += REPLACED_BYTES;
    if (this.#written >= this.#pageLimit) this.#spill();
    const replaced = (node: MemoryNode, at: number): MemoryNode => {
      if (at === height) return subtree;
      const [left, right] = halves(node);
      return (address >>> (at + 4)) & 1
        ? new Inner(left, replaced(right, at - 1), this.#owner)
        : new Inner(replaced(left, at - 1), right, this.#owner);
    };
    this.#tree = replaced(this.#tree, MEMORY_HEIGHT);
    this.#version = ++versions;
    if (this.#readTags !== noTags) this.#readTags.fill(-1);
    this.#forgetWritable();
    this.#codeChanged(address);
  }

  #codeChanged(address: number): void {
    if (address >>> 0 < CODE_END) this.#code = noCode;
  }

  #load32Slowly(address: number): number {
    let parent: Inner | null = null;
    let side = 0;
    let node = this.#tree;
    let height = MEMORY_HEIGHT;
    const attach = (child: MemoryNode) => {
      if (parent === null) this.#tree = child;
      else if (side === 1) parent.right = child;
      else parent.left = child;
      node = child;
    };
    while (node !== null && !(node instanceof Page)) {
      if (node instanceof Graft) {
        // Not attached: what was only read can be dropped.
        const words = node.page(pageIn(address, height))?.slice() ?? noWords;
        this.#remember(address, words);
        return words[(address >>> 2) & 1023];
      }
      if (height === PAGE_HEIGHT) {
        return this.#loadFromSplitPage(node, address, attach);
      }
      parent = node;
      height--;
      side = (address >>> (height + 5)) & 1;
      node = side === 1 ? node.right : node.left;
    }
    const words = node === null ? noWords : node.words;
    this.#remember(address, words);
    return words[(address >>> 2) & 1023];
  }

  #loadFromSplitPage(
    split: Inner,
    address: number,
    attach: (page: Page) => void,
  ): number {
    let node: MemoryNode = split;
    for (let height = PAGE_HEIGHT; node instanceof Inner; height--) {
      const side: "left" | "right" = (address >>> (height + 4)) & 1
        ? "right"
        : "left";
      const child: MemoryNode = node[side];
      node = child instanceof Graft ? node[side] = child.open(null) : child;
    }
    // Clones may share the node it is attached to: nobody's to write to.
    const whole = flatten(split, null);
    if (whole !== null) {
      attach(whole);
      this.#written += whole.words.byteLength;
      this.#remember(address, whole.words);
    }
    if (node === null) return 0;
    const { words } = node as Page;
    return words[(address >>> 2) & (words.length - 1)];
  }

  #store32Slowly(address: number, value: number): void {
    const words = this.#writableWords(address);
    words[(address >>> 2) & (words.length - 1)] = value;
    if (words.length === PAGE_WORDS) {
      this.#remember(address, words);
      if (address >>> 0 >= CODE_END) this.#rememberWritable(address, words);
    } else if (this.#readTags !== noTags) {
      this.#readTags[(address >>> 12) & (SLOTS - 1)] = -1;
    }
  }

  /** Words of this memory's own at an address: of its page, or of the part of a split one; hashes above are dropped. */
  #writableWords(address: number): Int32Array {
    if (this.#written >= this.#pageLimit) this.#spill();
    this.#codeChanged(address);
    let words: Int32Array = noWords;
    let isNew = false;
    const written = (node: MemoryNode, height: number): MemoryNode => {
      if (node instanceof Graft) {
        isNew = true;
        return written(node.open(this.#owner), height);
      }
      if (node === null && height <= PAGE_HEIGHT) {
        isNew = true;
        node = new Page(new Int32Array(8 << height), this.#owner);
      }
      if (node instanceof Page) {
        isNew ||= node.owner !== this.#owner;
        const page = node.owner === this.#owner
          ? node
          : new Page(node.words.slice(), this.#owner);
        page.hash = null;
        words = page.words;
        return page;
      }
      const inner = node !== null && node.owner === this.#owner
        ? node
        : new Inner(node?.left ?? null, node?.right ?? null, this.#owner);
      inner.hash = null;
      if ((address >>> (height + 4)) & 1) {
        inner.right = written(inner.right, height - 1);
      } else inner.left = written(inner.left, height - 1);
      if (height !== PAGE_HEIGHT) return inner;
      const whole = flatten(inner, this.#owner);
      if (whole !== null) words = whole.words;
      return whole ?? inner;
    };
    this.#tree = written(this.#tree, MEMORY_HEIGHT);
    this.#version = ++versions;
    if (isNew) this.#written += words.byteLength;
    return words;
  }

  /** Gives what was written to the store and leaves grafts in its place; the bytes stay the same. */
  #spill(): void {
    this.#written = 0;
    const { store } = this;
    if (!keepsAll(store)) return;
    this.#forgetWritable();
    if (this.#readTags !== noTags) this.#readTags.fill(-1);
    this.#tree = spillNode(this.#tree, MEMORY_HEIGHT, store, (root, height) => {
      const content = contentOf(root, height, this.#contents);
      return content && new Graft(content, height, 0);
    });
  }

  #forgetWritable(): void {
    if (this.#writeTags !== noTags) this.#writeTags.fill(-1);
  }

  #remember(address: number, words: Int32Array): void {
    if (this.#readTags === noTags) {
      this.#readTags = noTags.slice();
      this.#readWords = new Array(SLOTS).fill(noWords);
    }
    const page = address >>> 12;
    this.#readTags[page & (SLOTS - 1)] = page;
    this.#readWords[page & (SLOTS - 1)] = words;
  }

  #rememberWritable(address: number, words: Int32Array): void {
    if (this.#writeTags === noTags) {
      this.#writeTags = noTags.slice();
      this.#writeWords = new Array(SLOTS).fill(noWords);
    }
    const page = address >>> 12;
    this.#writeTags[page & (SLOTS - 1)] = page;
    this.#writeWords[page & (SLOTS - 1)] = words;
  }
}
