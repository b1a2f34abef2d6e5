/* A small Lisp-less language: a recursive-descent compiler to bytecode and its interpreter, with calls through a table. */
#include "start.h"

enum Op { PUSH, LOAD, STORE, ADD, SUBTRACT, MULTIPLY, DIVIDE, LESS, EQUAL, JUMP, JUMP_UNLESS, OUTPUT, HALT };

static u8 code[600];
static u32 length;
static const char *text;
static i32 variables[26];

static void skip_space(void) {
  while (*text == ' ' || *text == '\n') text++;
}

static int takes(char c) {
  skip_space();
  if (*text != c) return 0;
  text++;
  return 1;
}

static void emit(u8 op) { code[length++] = op; }

static void emit_number(u32 value) {
  for (int i = 0; i < 4; i++) code[length++] = value >> (8 * i);
}

static void expression(void);

static void primary(void) {
  skip_space();
  if (takes('(')) {
    expression();
    takes(')');
  } else if (*text >= 'a' && *text <= 'z') {
    emit(LOAD);
    emit(*text++ - 'a');
  } else {
    u32 value = 0;
    int negative = takes('-');
    while (*text >= '0' && *text <= '9') value = 10 * value + (*text++ - '0');
    emit(PUSH);
    emit_number(negative ? -value : value);
  }
}

static void product(void) {
  primary();
  for (;;) {
    if (takes('*')) primary(), emit(MULTIPLY);
    else if (takes('/')) primary(), emit(DIVIDE);
    else return;
  }
}

static void sum(void) {
  product();
  for (;;) {
    if (takes('+')) product(), emit(ADD);
    else if (takes('-')) product(), emit(SUBTRACT);
    else return;
  }
}

static void expression(void) {
  sum();
  if (takes('<')) sum(), emit(LESS);
  else if (takes('=')) sum(), emit(EQUAL);
}

static void patch(u32 at) {
  for (int i = 0; i < 4; i++) code[at + i] = length >> (8 * i);
}

/* Statements: `x: expression;`, `!expression;`, `[condition; statements]` repeats, `?condition; {statements}`. */
static void statements(char end) {
  while (!takes(end)) {
    if (takes('[')) {
      u32 start = length;
      expression();
      takes(';');
      emit(JUMP_UNLESS);
      u32 out = length;
      emit_number(0);
      statements(']');
      emit(JUMP);
      emit_number(start);
      patch(out);
    } else if (takes('?')) {
      expression();
      takes(';');
      emit(JUMP_UNLESS);
      u32 out = length;
      emit_number(0);
      takes('{');
      statements('}');
      patch(out);
    } else if (takes('!')) {
      expression();
      takes(';');
      emit(OUTPUT);
    } else {
      u8 variable = *text++ - 'a';
      takes(':');
      expression();
      takes(';');
      emit(STORE);
      emit(variable);
    }
  }
}

static i32 wrapped_add(i32 a, i32 b) { return (u32)a + (u32)b; }
static i32 wrapped_subtract(i32 a, i32 b) { return (u32)a - (u32)b; }
static i32 wrapped_multiply(i32 a, i32 b) { return (u32)a * (u32)b; }
static i32 quotient(i32 a, i32 b) { return b == 0 || b == -1 ? wrapped_subtract(0, a) : a / b; }
static i32 is_less(i32 a, i32 b) { return a < b; }
static i32 is_equal(i32 a, i32 b) { return a == b; }

static i32 (*const binary[])(i32, i32) = {
    [ADD] = wrapped_add, [SUBTRACT] = wrapped_subtract, [MULTIPLY] = wrapped_multiply,
    [DIVIDE] = quotient, [LESS] = is_less, [EQUAL] = is_equal,
};

static u32 number_at(u32 at) { return code[at] | code[at + 1] << 8 | code[at + 2] << 16 | (u32)code[at + 3] << 24; }

static void interpret(void) {
  i32 stack[32];
  u32 top = 0;
  for (u32 pc = 0;;) {
    u8 op = code[pc++];
    switch (op) {
      case PUSH: stack[top++] = number_at(pc); pc += 4; break;
      case LOAD: stack[top++] = variables[code[pc++]]; break;
      case STORE: variables[code[pc++]] = stack[--top]; break;
      case JUMP: pc = number_at(pc); break;
      case JUMP_UNLESS: pc = stack[--top] ? pc + 4 : number_at(pc); break;
      case OUTPUT: put(stack[--top]); break;
      case HALT: return;
      default:
        top--;
        stack[top - 1] = binary[op](stack[top - 1], stack[top]);
    }
  }
}

static const char source[] =
    "n: 2; [n < 60; d: 2; p: 1; [d * d < n + 1; ?n / d * d = n; {p: 0;} d: d + 1;] ?p; {!n;} n: n + 1;]\n"
    "a: 0; b: 1; i: 0; [i < 50; c: a + b; a: b; b: c; !c; i: i + 1;]\n"
    "x: 27; s: 0; [1 < x; h: x / 2; ?h * 2 = x; {y: h;} ?(h * 2 = x) = 0; {y: 3 * x + 1;} x: y; s: s + 1;] !s;\n"
    "k: -7; [k < 8; !-1000 / k; !k * -123456789; k: k + 1;] $";

static void compute(void) {
  text = source;
  statements('$');
  emit(HALT);
  put(length);
  for (u32 i = 0; i < length; i++) put(code[i]);
  interpret();
}
