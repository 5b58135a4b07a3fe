package com.example.harbour;

/** A place at the quay, and what fits there. Lengths and depths in metres. */
public record Berth(String name, double length, double depth) {

    /** Water that must stay under a keel at low tide. */
    static final double CLEARANCE = 0.5;

    public Berth {
        if (length <= 0 || depth <= 0) {
            throw new IllegalArgumentException(
                    "berth " + name + ": length and depth must be positive, got " + length + " and " + depth);
        }
    }

    public boolean takes(Ship ship) {
        return ship.length() <= length && ship.draught() + CLEARANCE <= depth;
    }
}
