/* Recursion, signed and unsigned comparison, bytes, halves and unaligned words. */
#include "start.h"

static i32 items[500];
struct __attribute__((packed)) Record { u8 tag; u32 word; short half; };
static struct Record records[9];

static void sort(i32 *first, i32 *last) {
  if (last - first < 2) return;
  i32 pivot = first[(last - first) / 2];
  i32 *low = first, *high = last - 1;
  while (low <= high) {
    while (*low < pivot) low++;
    while (*high > pivot) high--;
    if (low <= high) {
      i32 swapped = *low;
      *low++ = *high;
      *high-- = swapped;
    }
  }
  sort(first, high + 1);
  sort(low, last);
}

static void compute(void) {
  u32 seed = 12345;
  for (int i = 0; i < 500; i++) items[i] = seed = seed * 1664525 + 1013904223;
  sort(items, items + 500);
  for (int i = 0; i < 40; i++) result[i] = items[i * 12];
  for (int i = 0; i < 9; i++) {
    records[i].tag = items[i];
    records[i].word = items[i * 3];
    records[i].half = items[i * 7] >> 9;
  }
  for (int i = 0; i < 9; i++) {
    result[40 + i] = records[8 - i].word ^ records[i].half ^ records[i].tag;
  }
}
