// Package remedy runs, where the state of a check has changed, the action that its definition names.
//
//	transitions, in the order of their commit ─▶ rules ─▶ left out, and why
//	   │ cursor: moved in the transaction               ├▶ waits for its turn ─▶ rules again
//	   │ that keeps what was judged                     └▶ run, under an id that is stored before it starts ─▶ did it mend?
//
// Each transition is judged once. What is to be run is stored before it is, with the id of its run; who is killed in between finds that there is no
// such run, and starts it under that id, which the store takes once. So a remedy is neither lost nor done twice.
//
// A remedy can do harm, all over the fleet, at night. So it is held by limits of each node and of the whole check, by silences, by what the check
// depends on, and by the rights of its owner; it waits for one node to be mended before it touches the next, and stops by itself when it does not
// mend.
package remedy
