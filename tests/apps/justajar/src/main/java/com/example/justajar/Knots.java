package com.example.justajar;

/** Speeds at sea. */
public final class Knots {

    private static final double KILOMETRES_PER_MILE = 1.852;

    private Knots() {}

    public static double toKilometresPerHour(double knots) {
        return knots * KILOMETRES_PER_MILE;
    }
}
