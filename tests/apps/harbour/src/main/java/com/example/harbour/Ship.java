package com.example.harbour;

/** A visitor. Length and draught in metres. */
public record Ship(String name, double length, double draught) {}
