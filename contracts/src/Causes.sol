// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

// Why a step traps: the exit code of the trapped state. Of several causes the lowest wins.

uint256 constant NONE = 0;
// pc is not a multiple of 4.
uint256 constant FETCH_ALIGNMENT = 1;
// pc is not below 16 MiB.
uint256 constant FETCH_RANGE = 2;
// No such instruction or syscall, a must-be-zero field set, ext or ins with bad fields.
uint256 constant ENCODING = 3;
// A branch or jump while nextPc is not pc + 4.
uint256 constant DELAY_SLOT = 4;
// Integer overflow, a conditional trap, a height above 26.
uint256 constant OPERANDS = 5;
// An unaligned address.
uint256 constant ALIGNMENT = 6;
// A store below 16 MiB, a load or save outside its regions.
uint256 constant PROTECTION = 7;
