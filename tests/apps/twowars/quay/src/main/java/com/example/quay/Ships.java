package com.example.quay;

/** Counts ships. */
final class Ships {

    private Ships() {}

    static String alongside(int count) {
        return count == 1 ? "1 ship alongside" : count + " ships alongside";
    }
}
