/**
 * Addresses inside the WebAssembly memory that translated code and its host share.
 *
 * First the processor, then two page tables and the jump table, then the frames that hold pages. A page
 * table entry is what must be added (modulo 2^32) to a machine address to get the byte in its frame; an
 * odd entry means that the page has no frame, or none that may be written.
 */

/** 32 registers of 4 bytes. */
export const REGISTERS = 0;
/** lo, then hi: one little-endian i64. */
export const LO_HI = 128;
/** Where the processor is when a translated function returns. */
export const PC = 136, NEXT_PC = 140;
/** 1 where it returned inside the group, 0 at an address that no group has. */
export const IS_INSIDE = 144;

/** Entries for loads, by page number. */
export const READ_TABLE = 0x0040_0000;
/** Entries for stores: even only for pages whose frame is newer than the memory tree. */
export const WRITE_TABLE = 0x0080_0000;
/** Per word of code: 0, or the function's number * 2^{@linkcode ENTRY_BITS} + the number of the entry in it. */
export const JUMP_TABLE = 0x0100_0000;
/** Frames of 4 KiB. */
export const FRAMES = 0x0200_0000;

/** Entry of a page table for a page without a frame; any odd number would do. */
export const ABSENT = 0x0101_0101;
/** Blocks of a function; larger ones compile superlinearly. */
export const MAX_BLOCKS = 256;
/** Bits of an entry's number in its function: entries are numbered from 1, functions too. */
export const ENTRY_BITS = 9;
/** Functions of a program; code beyond them is left to `step`. */
export const MAX_FUNCTIONS = 256;
/** Size of the whole memory in WebAssembly pages. */
export const wasmPages = (frames: number): number =>
  Math.ceil((FRAMES + 4096 * frames) / 0x1_0000);
/** Most frames that fit into a WebAssembly memory. */
export const MAX_FRAMES = (2 ** 32 - FRAMES) / 4096;
