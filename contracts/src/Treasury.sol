// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {NothingToWithdraw, WithdrawFailed} from "./MarketErrors.sol";

/// Money that has left a request: credits that their owners pull, and what is burned.
/// Burned ether stays in the contract for ever: no function can send it. The balance is never read, so ether forced
/// in changes nothing. For every call: sum in = sum withdrawn + burned + held, where held is credits, fees and stakes.
abstract contract Treasury {
    /// Wei that each account may withdraw.
    mapping(address => uint256) public credits;
    /// Wei that nobody will ever get.
    uint256 public burned;

    event Credited(address indexed account, uint256 amount);
    event Burned(uint256 amount);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// Sends the caller's whole credit to `to`.
    function withdraw(address to) external {
        uint256 amount = credits[msg.sender];
        if (amount == 0) revert NothingToWithdraw(msg.sender);
        // INVARIANT MARKET-19: a credit is gone before it is sent, so that no re-entry is paid twice.
        credits[msg.sender] = 0;
        emit Withdrawn(msg.sender, to, amount);
        bool sent;
        // The receiver's returned data is not copied.
        assembly ("memory-safe") {
            sent := call(gas(), to, amount, 0, 0, 0, 0)
        }
        // INVARIANT MARKET-20: a payment that fails leaves the credit as it was.
        if (!sent) revert WithdrawFailed(to);
    }

    function _credit(address account, uint256 amount) internal {
        if (amount == 0) return;
        credits[account] += amount;
        emit Credited(account, amount);
    }

    function _burn(uint256 amount) internal {
        if (amount == 0) return;
        burned += amount;
        emit Burned(amount);
    }
}
